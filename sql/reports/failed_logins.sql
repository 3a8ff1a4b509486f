-- Whose logins fail, and from where: one row per user and client address with at least one failure.
select
    sessions.user_name::varchar as user_name,
    sessions.client_ip::varchar as client_ip,
    count(*)::bigint as failed_count,
    count(distinct sessions.server_ip)::bigint as server_count,
    min(sessions.start_time)::timestamp as first_failed_at,
    max(sessions.start_time)::timestamp as last_failed_at
from sessions
where upper(replace(sessions.verdict, '-', '_')) in ('AUTH_FAIL', 'GW_AUTH_FAIL', 'USER_MAPPING_FAIL', 'KEY_ERROR')
group by sessions.user_name, sessions.client_ip
order by failed_count desc, user_name, client_ip
limit 20
