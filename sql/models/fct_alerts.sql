-- One row per alert of a session, where its content policy stores alerts.
select
    a.appliance::varchar as appliance,
    a.session_key::varchar as session_key,
    a.record_id::bigint as record_id,
    a.channel_id::varchar as channel_id,
    a.time::timestamp as raised_at,
    a.time::date as raised_date,
    a.time_raw::varchar as raised_at_raw,
    a.alert_type::varchar as alert_type,
    a.rule_name::varchar as rule_name,
    a.matched_action::varchar as matched_action,
    a.matched_content::varchar as matched_content,
    a.matched_regexp::varchar as matched_regexp,
    a.extracted_at::timestamp as extracted_at,
    a.run_id::varchar as run_id
from main.alerts as a
