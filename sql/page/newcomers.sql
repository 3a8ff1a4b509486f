-- Users and servers that no session before $since had: one row per user or server.
with first_sessions as (
    select
        'user' as kind,
        user_name as name,
        session_count,
        first_seen_at
    from mart.dim_users
    union all
    select
        'server' as kind,
        coalesce(server_name, server_key) as name,
        session_count,
        first_seen_at
    from mart.dim_servers
)

select
    kind::varchar as kind,
    name::varchar as name,
    session_count::bigint as session_count,
    first_seen_at::timestamp as first_seen_at,
    count(*) over (partition by kind)::bigint as row_total
from first_sessions
where first_seen_at > $since::timestamp
qualify row_number() over (partition by kind order by first_seen_at desc, name) <= $size::bigint
order by kind desc, first_seen_at desc, name
