-- How far the copy is: one row per appliance.
with counted_sessions as (
    select
        appliance,
        count(*)::bigint as sessions,
        min(start_time)::timestamp as oldest_start_time,
        max(start_time)::timestamp as newest_start_time,
        count(*) filter (where active)::bigint as active_sessions,
        count(*) filter (where missing_since is not null)::bigint as missing_sessions,
        count(*) filter (
            where missing_since is null
            and 'pending' in (channels_status, events_status, alerts_status)
        )::bigint as sessions_with_pending_details
    from sessions
    group by appliance
),

last_runs as (
    select *
    from sync_runs
    where status = 'done'
    qualify row_number() over (partition by appliance order by finished_at desc) = 1
),

counted_quarantine as (
    select
        appliance,
        count(*)::bigint as quarantined_rows
    from quarantine
    group by appliance
)

select
    last_runs.appliance::varchar as appliance,
    last_runs.finished_at::timestamp as last_sync_at,
    last_runs.run_id::varchar as last_run_id,
    round(last_runs.seconds, 1)::double as last_sync_seconds,
    last_runs.requests::bigint as last_sync_requests,
    last_runs.watermark::timestamp as watermark,
    coalesce(counted_sessions.sessions, 0)::bigint as sessions,
    counted_sessions.oldest_start_time,
    counted_sessions.newest_start_time,
    coalesce(counted_sessions.active_sessions, 0)::bigint as active_sessions,
    coalesce(counted_sessions.missing_sessions, 0)::bigint as missing_sessions,
    coalesce(counted_sessions.sessions_with_pending_details, 0)::bigint as sessions_with_pending_details,
    coalesce(counted_quarantine.quarantined_rows, 0)::bigint as quarantined_rows
from last_runs
left join counted_sessions on last_runs.appliance = counted_sessions.appliance
left join counted_quarantine on last_runs.appliance = counted_quarantine.appliance
order by last_runs.appliance
