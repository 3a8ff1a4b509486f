-- Where the appliance's clean-up may come before the copy: one row per appliance and protocol that has options.
-- The metadata of a protocol's sessions live for retention_days; what is not copied by then is lost. Not copied is what
-- came after the last complete sync began, and ended sessions whose details still wait, counted from their start.
-- soon: less than a fifth of the retention is left, and less than 14 days; late: nothing is. A connection policy can
-- have a clean-up of its own that comes earlier: the options do not say so.
with last_syncs as (
    select
        appliance,
        max(started_at) as last_synced_at
    from sync_runs
    where status = 'done' and kind = 'sync'
    group by appliance
),

waiting_sessions as (
    select
        sessions.appliance,
        lower(sessions.protocol) as protocol,
        count(*) as session_count,
        min(sessions.start_time) as oldest_start_time
    from sessions
    inner join session_details as details
        on sessions.appliance = details.appliance
        and sessions.session_key = details.session_key
    where details.is_pending and not coalesce(sessions.active, false)
    group by sessions.appliance, lower(sessions.protocol)
),

lags as (
    select
        policies.appliance,
        policies.protocol,
        policies.retention_days,
        last_syncs.last_synced_at,
        coalesce(waiting_sessions.session_count, 0) as session_count,
        waiting_sessions.oldest_start_time,
        (
            epoch((current_timestamp at time zone 'UTC')::timestamp)
            - epoch(least(last_syncs.last_synced_at, waiting_sessions.oldest_start_time))
        ) / 86400 as lag_days
    from policies
    left join last_syncs on policies.appliance = last_syncs.appliance
    left join waiting_sessions
        on policies.appliance = waiting_sessions.appliance
        and policies.protocol = waiting_sessions.protocol
    where policies.kind = 'options' and policies.valid_to is null
)

select
    appliance::varchar as appliance,
    protocol::varchar as protocol,
    retention_days::bigint as retention_days,
    last_synced_at::timestamp as last_synced_at,
    session_count::bigint as sessions_with_pending_details,
    oldest_start_time::timestamp as oldest_pending_start_time,
    round(lag_days::decimal(18, 6), 1)::double as lag_days,
    round((retention_days - lag_days)::decimal(18, 6), 1)::double as days_left,
    (
        case
            when retention_days is null then 'ok'
            when last_synced_at is null or lag_days >= retention_days then 'late'
            when retention_days - lag_days < least(0.2 * retention_days, 14) then 'soon'
            else 'ok'
        end
    )::varchar as state
from lags
order by appliance, protocol
