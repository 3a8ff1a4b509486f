-- How fresh and how complete the copy is at the moment $now: one row per appliance.
with last_syncs as (
    select
        appliance,
        run_id,
        finished_at,
        watermark
    from sync_runs
    where status = 'done' and kind = 'sync'
    qualify row_number() over (partition by appliance order by finished_at desc, run_id desc) = 1
),

known_appliances as (
    select appliance from sync_runs
    union distinct
    select appliance from sessions
),

counted_windows as (
    select
        windows.appliance,
        count(*) as window_count,
        count(*) filter (where windows.verdict = 'equal') as equal_count,
        count(*) filter (where windows.verdict = 'uncounted') as uncounted_count,
        count(*) filter (where windows.verdict not in ('equal', 'uncounted')) as differing_count
    from sync_windows as windows
    inner join last_syncs
        on windows.appliance = last_syncs.appliance
        and windows.run_id = last_syncs.run_id
    group by windows.appliance
),

comparisons as (
    select
        appliance,
        run_id,
        range_start,
        range_end,
        finished_at
    from sync_runs
    where status = 'done' and kind = 'reconcile'
),

last_comparisons as (
    select
        appliance,
        run_id,
        finished_at
    from comparisons
    qualify row_number() over (partition by appliance order by finished_at desc, run_id desc) = 1
),

-- A day on which a comparison found a difference was read again; the verdict of that window says what came of it.
differing_days as (
    select
        windows.appliance,
        count(*) as day_count
    from sync_windows as windows
    inner join last_comparisons
        on windows.appliance = last_comparisons.appliance
        and windows.run_id = last_comparisons.run_id
    where windows.verdict not in ('equal', 'uncounted')
    group by windows.appliance
),

days as (
    select
        appliance,
        started_date,
        min(started_at) as first_at,
        max(started_at) as last_at
    from mart.fct_sessions
    where not is_missing and started_at is not null
    group by appliance, started_date
),

counted_days as (
    select
        days.appliance,
        count(*) as day_count,
        count(*) filter (
            where exists (
                select 1
                from comparisons
                where
                    comparisons.appliance = days.appliance
                    and comparisons.range_start <= days.first_at
                    and comparisons.range_end > days.last_at
            )
        ) as compared_count
    from days
    group by days.appliance
),

counted_sessions as (
    select
        appliance,
        count(*) as session_count,
        max(start_time) as newest_started_at,
        count(*) filter (where is_pending) as pending_count,
        count(*) filter (where missing_since is not null) as missing_count,
        count(*) filter (where events_status = 'not_indexed') as not_indexed_count
    from session_details
    group by appliance
),

counted_quarantine as (
    select
        appliance,
        count(*) as quarantined_count
    from quarantine
    group by appliance
)

select
    known_appliances.appliance::varchar as appliance,
    last_syncs.finished_at::timestamp as last_sync_at,
    date_diff('second', last_syncs.finished_at, $now::timestamp)::bigint as lag_seconds,
    last_syncs.watermark::timestamp as watermark,
    counted_sessions.newest_started_at::timestamp as newest_started_at,
    coalesce(counted_windows.window_count, 0)::bigint as window_count,
    coalesce(counted_windows.equal_count, 0)::bigint as equal_window_count,
    coalesce(counted_windows.uncounted_count, 0)::bigint as uncounted_window_count,
    coalesce(counted_windows.differing_count, 0)::bigint as differing_window_count,
    last_comparisons.finished_at::timestamp as last_compared_at,
    coalesce(counted_days.day_count, 0)::bigint as day_count,
    coalesce(counted_days.compared_count, 0)::bigint as compared_day_count,
    coalesce(differing_days.day_count, 0)::bigint as differing_day_count,
    coalesce(counted_sessions.session_count, 0)::bigint as session_count,
    coalesce(counted_sessions.pending_count, 0)::bigint as pending_count,
    coalesce(counted_sessions.not_indexed_count, 0)::bigint as not_indexed_count,
    coalesce(counted_sessions.missing_count, 0)::bigint as missing_count,
    coalesce(counted_quarantine.quarantined_count, 0)::bigint as quarantined_count
from known_appliances
left join last_syncs on known_appliances.appliance = last_syncs.appliance
left join counted_windows on known_appliances.appliance = counted_windows.appliance
left join last_comparisons on known_appliances.appliance = last_comparisons.appliance
left join differing_days on known_appliances.appliance = differing_days.appliance
left join counted_days on known_appliances.appliance = counted_days.appliance
left join counted_sessions on known_appliances.appliance = counted_sessions.appliance
left join counted_quarantine on known_appliances.appliance = counted_quarantine.appliance
order by known_appliances.appliance
