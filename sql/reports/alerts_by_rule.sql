-- Which content rules raise alerts, and for whom: one row per rule.
select
    alerts.rule_name::varchar as rule_name,
    count(*)::bigint as alert_count,
    count(distinct alerts.session_key)::bigint as session_count,
    count(distinct sessions.user_name)::bigint as user_count,
    mode(sessions.user_name)::varchar as most_frequent_user,
    max(alerts.time)::timestamp as last_alert_at
from alerts
inner join sessions
    on alerts.appliance = sessions.appliance
    and alerts.session_key = sessions.session_key
group by alerts.rule_name
order by alert_count desc, rule_name
