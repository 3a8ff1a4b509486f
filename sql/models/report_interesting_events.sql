-- One row per interesting event (command, window title) that the analytics found in a session, the newest first.
select
    s.appliance::varchar as appliance,
    s.session_key::varchar as session_key,
    i.position::bigint as position,
    i.value::varchar as interesting_event,
    s.user_name::varchar as user_name,
    s.server_key::varchar as server_key,
    s.server_name::varchar as server_name,
    s.client_key::varchar as client_key,
    s.protocol::varchar as protocol,
    s.verdict::varchar as verdict,
    s.risk_score::double as risk_score,
    s.started_at::timestamp as started_at,
    s.started_date::date as started_date,
    s.is_active::boolean as is_active,
    s.is_missing::boolean as is_missing
from main.session_lists as i
inner join mart.fct_sessions as s on i.appliance = s.appliance and i.session_key = s.session_key
where i.field = 'analytics.interesting_events'
order by s.started_at desc, s.appliance, s.session_key, i.position
