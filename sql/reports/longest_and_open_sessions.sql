-- The longest sessions, those still open before all others: one row per session.
select
    sessions.session_key::varchar as session_key,
    sessions.user_name::varchar as user_name,
    sessions.server_name::varchar as server_name,
    sessions.protocol::varchar as protocol,
    sessions.start_time::timestamp as start_time,
    sessions.end_time::timestamp as end_time,
    coalesce(sessions.active, false)::boolean as is_active,
    round(sessions.duration / 3600.0, 1)::double as hours
from sessions
order by is_active desc, sessions.duration desc nulls last, sessions.start_time, session_key
limit 20
