-- Which sessions have no recording, and why: one row per reason, connection policy and protocol.
-- Refused connections have nothing to record: accepted_count is what went unrecorded.
select
    (case
        when index_status = 'NO_TRAIL' then 'no audit trail was made'
        when origin = 'LOG' then 'known from logs only'
        when origin = 'VAULT' then 'known from the vault only'
        else 'the appliance does not say'
    end)::varchar as reason,
    connection_policy::varchar as connection_policy,
    protocol::varchar as protocol,
    count(*)::bigint as session_count,
    count(*) filter (where verdict like 'ACCEPT%')::bigint as accepted_count,
    count(distinct user_name)::bigint as user_count,
    count(distinct server_key)::bigint as server_count,
    max(started_at)::timestamp as last_session_at
from mart.fct_sessions
where not is_recorded
group by reason, connection_policy, protocol
order by accepted_count desc, session_count desc, reason, connection_policy, protocol
limit 20
