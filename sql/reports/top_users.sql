-- Who works most with privileged sessions: one row per user.
select
    sessions.user_name::varchar as user_name,
    count(*)::bigint as session_count,
    count(distinct sessions.server_ip)::bigint as server_count,
    round(sum(sessions.duration) / 3600.0, 1)::double as hours,
    max(sessions.start_time)::timestamp as last_session_at
from sessions
where sessions.user_name is not null
group by sessions.user_name
order by session_count desc, user_name
limit 20
