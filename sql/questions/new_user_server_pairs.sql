-- Who came to a server for the first time in the last seven days of the copy: one row per user and server.
-- The seven days end with the newest session, so that an old copy answers as of its own time.
select
    user_name::varchar as user_name,
    server_key::varchar as server_key,
    server_name::varchar as server_name,
    started_at::timestamp as first_seen_at,
    protocol::varchar as protocol,
    verdict::varchar as verdict,
    client_key::varchar as client_key
from mart.fct_sessions
where
    is_first_user_server_pair
    and started_at >= (select max(every.started_at) - interval 7 days from mart.fct_sessions as every)
order by first_seen_at desc, user_name, server_key
limit 20
