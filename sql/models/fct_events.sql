-- One row per event (command, window title, file transfer, …) extracted from an indexed session.
select
    e.appliance::varchar as appliance,
    e.session_key::varchar as session_key,
    e.record_id::bigint as record_id,
    e.channel_id::varchar as channel_id,
    e.time::timestamp as occurred_at,
    e.time::date as occurred_date,
    e.time_raw::varchar as occurred_at_raw,
    e.type::varchar as event_type,
    e.action::varchar as action,
    e.content::varchar as content,
    e.extracted_at::timestamp as extracted_at,
    e.run_id::varchar as run_id
from main.events as e
