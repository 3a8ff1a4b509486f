-- Who works most with privileged sessions: one row per user.
select
    user_name::varchar as user_name,
    count(*)::bigint as session_count,
    count(distinct server_key)::bigint as server_count,
    round((sum(duration_seconds) / 3600.0)::decimal(18, 6), 1)::double as hours,
    max(started_at)::timestamp as last_session_at
from mart.fct_sessions
where user_name is not null
group by user_name
order by session_count desc, user_name
limit 20
