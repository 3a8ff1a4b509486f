-- Whose logins fail, and from where: one row per user and client with at least one failure.
select
    user_name::varchar as user_name,
    client_key::varchar as client_key,
    count(*)::bigint as failed_count,
    string_agg(distinct verdict, ', ' order by verdict)::varchar as verdicts,
    count(distinct server_key)::bigint as server_count,
    min(started_at)::timestamp as first_failed_at,
    max(started_at)::timestamp as last_failed_at
from mart.fct_sessions
where has_failed_login
group by user_name, client_key
order by failed_count desc, user_name, client_key
limit 20
