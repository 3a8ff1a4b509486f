-- The sessions that are open for longest, and the longest of those that ended: one row per session, ten of each.
-- How long an open one lasts is not known yet. One that was open when the appliance lost it is neither, and left out.
with ranked_sessions as (
    select *
    from mart.fct_sessions
    where not (is_active and is_missing)
    qualify row_number() over (
        partition by is_active order by duration_seconds desc nulls last, started_at, appliance, session_key
    ) <= 10
)

select
    is_active::boolean as is_open,
    started_at::timestamp as started_at,
    ended_at::timestamp as ended_at,
    round((duration_seconds / 3600.0)::decimal(18, 6), 1)::double as hours,
    user_name::varchar as user_name,
    coalesce(server_name, server_key)::varchar as server,
    protocol::varchar as protocol,
    appliance::varchar as appliance,
    session_key::varchar as session_key
from ranked_sessions
order by is_open desc, duration_seconds desc nulls last, started_at, appliance, session_key
