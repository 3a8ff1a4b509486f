-- One row per user and server that the user has a session on, whichever appliance it went through.
select
    coalesce(sessions.user_name, sessions.user_gateway_username)::varchar as user_name,
    coalesce(sessions.server_ip, sessions.server_name)::varchar as server_key,
    count(*)::bigint as session_count,
    min(sessions.start_time)::timestamp as first_seen_at,
    max(sessions.start_time)::timestamp as last_seen_at,
    -- of sessions that began at the same moment the first by appliance and key
    min(row(sessions.start_time, sessions.appliance, sessions.session_key))[2]::varchar as first_appliance,
    min(row(sessions.start_time, sessions.appliance, sessions.session_key))[3]::varchar as first_session_key
from sessions
where
    coalesce(sessions.user_name, sessions.user_gateway_username) is not null
    and coalesce(sessions.server_ip, sessions.server_name) is not null
group by all
