-- Which content rules raise alerts, and for whom: one row per rule.
select
    a.rule_name::varchar as rule_name,
    count(*)::bigint as alert_count,
    count(distinct row(a.appliance, a.session_key))::bigint as session_count,
    count(distinct s.user_name)::bigint as user_count,
    mode(s.user_name order by s.user_name)::varchar as most_frequent_user,
    max(a.raised_at)::timestamp as last_alert_at
from mart.fct_alerts as a
inner join mart.fct_sessions as s on a.appliance = s.appliance and a.session_key = s.session_key
group by a.rule_name
order by alert_count desc, rule_name
