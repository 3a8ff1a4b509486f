-- Who runs commands that change rights, accounts or logs: one row per user and command.
select
    sessions.user_name::varchar as user_name,
    regexp_extract(events.action, '^\s*(\S+)', 1)::varchar as command,
    count(*)::bigint as event_count,
    count(distinct events.session_key)::bigint as session_count,
    max(events.time)::timestamp as last_at
from events
inner join sessions
    on events.appliance = sessions.appliance
    and events.session_key = sessions.session_key
where
    events.type = 'command'
    and regexp_matches(
        events.action, '^\s*(sudo|su|passwd|useradd|usermod|userdel|visudo|chmod|chown|iptables|systemctl|rm)\b'
    )
group by sessions.user_name, command
order by event_count desc, user_name, command
limit 20
