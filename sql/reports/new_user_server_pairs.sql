-- Who came to a server for the first time in the last seven days of the copy: one row per user and server.
with first_visits as (
    select
        user_name,
        server_name,
        min(start_time) as first_seen_at,
        count(*) as session_count
    from sessions
    where user_name is not null and server_name is not null
    group by user_name, server_name
)

select
    user_name::varchar as user_name,
    server_name::varchar as server_name,
    first_seen_at::timestamp as first_seen_at,
    session_count::bigint as session_count
from first_visits
where first_seen_at >= (select max(sessions.start_time) from sessions) - interval 7 days
order by first_seen_at desc, user_name, server_name
limit 20
