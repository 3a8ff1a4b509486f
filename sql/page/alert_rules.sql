-- Which content rules raised alerts in the sessions of the period: one row per rule.
select
    alerts.rule_name::varchar as rule_name,
    count(*)::bigint as alert_count,
    count(distinct alerts.appliance || ' ' || alerts.session_key)::bigint as session_count,
    count(distinct fct_sessions.user_name)::bigint as user_count,
    mode(fct_sessions.user_name order by fct_sessions.user_name)::varchar as most_frequent_user,
    max(alerts.time)::timestamp as last_raised_at,
    count(*) over ()::bigint as row_total
from alerts
inner join mart.fct_sessions as fct_sessions
    on alerts.appliance = fct_sessions.appliance
    and alerts.session_key = fct_sessions.session_key
where fct_sessions.started_at >= $range_start::timestamp and fct_sessions.started_at < $range_end::timestamp
group by alerts.rule_name
order by alert_count desc, rule_name
limit $size::bigint
