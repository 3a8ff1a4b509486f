-- What four-eyes authorization did not let through: one row per channel, or per session where that is all it says.
-- The outcome is a channel's verdict (FOUR_EYES_REJECT, _TIMEOUT, _DEFERRED, _ERROR), or a session's reason of denial.
-- Channels that were not fetched say nothing here, see session_details.
with rejected_channels as (
    select
        appliance,
        session_key,
        channel_key,
        channel_type,
        started_at as rejected_at,
        verdict as outcome,
        four_eyes_authorizer,
        four_eyes_description
    from mart.fct_channels
    where starts_with(verdict, 'FOUR_EYES_')
),

denied_sessions as (
    select
        s.appliance,
        s.session_key,
        s.started_at as rejected_at,
        s.deny_reason as outcome
    from mart.fct_sessions as s
    anti join rejected_channels as c on s.appliance = c.appliance and s.session_key = c.session_key
    where regexp_matches(s.deny_reason, '(?i)four.?eyes')
),

rejections as (
    select * from rejected_channels
    union all by name
    select * from denied_sessions
)

select
    r.rejected_at::timestamp as rejected_at,
    s.user_name::varchar as user_name,
    coalesce(s.server_name, s.server_key)::varchar as server,
    s.protocol::varchar as protocol,
    r.channel_type::varchar as channel_type,
    r.outcome::varchar as outcome,
    r.four_eyes_authorizer::varchar as four_eyes_authorizer,
    r.four_eyes_description::varchar as four_eyes_description,
    r.appliance::varchar as appliance,
    r.session_key::varchar as session_key,
    r.channel_key::varchar as channel_key
from rejections as r
inner join mart.fct_sessions as s on r.appliance = s.appliance and r.session_key = s.session_key
order by r.rejected_at desc nulls last, r.appliance, r.session_key, r.channel_key
limit 20
