-- How far the copy is: one row per appliance.
with counted_sessions as (
    select
        appliance,
        count(*)::bigint as sessions,
        min(start_time)::timestamp as oldest_start_time,
        max(start_time)::timestamp as newest_start_time,
        count(*) filter (where active)::bigint as active_sessions,
        count(*) filter (where missing_since is not null)::bigint as missing_sessions
    from sessions
    group by appliance
),

counted_details as (
    select
        appliance,
        count(*) filter (where is_pending)::bigint as sessions_with_pending_details,
        count(*) filter (where events_status = 'not_indexed')::bigint as sessions_not_indexed
    from session_details
    group by appliance
),

failed_details as (
    select
        failures.appliance,
        count(distinct failures.session_key)::bigint as sessions
    from detail_failures as failures
    inner join sessions
        on failures.appliance = sessions.appliance
        and failures.session_key = sessions.session_key
    where failures.status in ('failed', 'absent') and sessions.missing_since is null
    group by failures.appliance
),

last_syncs as (
    select *
    from sync_runs
    where status = 'done' and kind = 'sync'
    qualify row_number() over (partition by appliance order by finished_at desc) = 1
),

last_reconciliations as (
    select
        appliance,
        max(finished_at)::timestamp as last_reconciled_at
    from sync_runs
    where status = 'done' and kind = 'reconcile'
    group by appliance
),

counted_windows as (
    select
        appliance,
        run_id,
        count(*)::bigint as windows,
        count(*) filter (where verdict = 'equal')::bigint as windows_equal,
        count(*) filter (where verdict = 'differs')::bigint as windows_differing
    from sync_windows
    group by appliance, run_id
),

counted_quarantine as (
    select
        appliance,
        count(*)::bigint as quarantined_rows
    from quarantine
    group by appliance
)

select
    last_syncs.appliance::varchar as appliance,
    last_syncs.finished_at::timestamp as last_sync_at,
    last_syncs.run_id::varchar as last_run_id,
    last_syncs.strategy::varchar as last_sync_strategy,
    round(last_syncs.seconds::decimal(18, 6), 1)::double as last_sync_seconds,
    last_syncs.requests::bigint as last_sync_requests,
    last_syncs.watermark::timestamp as watermark,
    coalesce(counted_windows.windows, 0)::bigint as windows_read,
    coalesce(counted_windows.windows_equal, 0)::bigint as windows_equal_to_source_count,
    coalesce(counted_windows.windows_differing, 0)::bigint as windows_differing,
    last_reconciliations.last_reconciled_at,
    coalesce(counted_sessions.sessions, 0)::bigint as sessions,
    counted_sessions.oldest_start_time,
    counted_sessions.newest_start_time,
    coalesce(counted_sessions.active_sessions, 0)::bigint as active_sessions,
    coalesce(counted_sessions.missing_sessions, 0)::bigint as missing_sessions,
    coalesce(counted_details.sessions_with_pending_details, 0)::bigint as sessions_with_pending_details,
    coalesce(failed_details.sessions, 0)::bigint as sessions_with_failed_details,
    coalesce(counted_details.sessions_not_indexed, 0)::bigint as sessions_not_indexed,
    coalesce(counted_quarantine.quarantined_rows, 0)::bigint as quarantined_rows,
    -- of the last sync: values that fit no column, by table and field
    coalesce(last_syncs.misfits, '{}')::varchar as misfits
from last_syncs
left join counted_sessions on last_syncs.appliance = counted_sessions.appliance
left join counted_details on last_syncs.appliance = counted_details.appliance
left join failed_details on last_syncs.appliance = failed_details.appliance
left join last_reconciliations on last_syncs.appliance = last_reconciliations.appliance
left join counted_windows
    on last_syncs.appliance = counted_windows.appliance
    and last_syncs.run_id = counted_windows.run_id
left join counted_quarantine on last_syncs.appliance = counted_quarantine.appliance
order by last_syncs.appliance
