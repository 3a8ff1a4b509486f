-- fatal: offending rows are windows of the last run that listed more sessions than the copy has in them; none may be
with last_windows as (
    select *
    from sync_windows
    where run_id = (select arg_max(sync_runs.run_id, sync_runs.started_at) from sync_runs)
),

unreadable_sessions as (
    select
        appliance,
        count(*) as row_count
    from quarantine
    where table_name = 'sessions'
    group by appliance
),

counted_windows as (
    select
        last_windows.appliance,
        last_windows.window_start,
        last_windows.window_end,
        last_windows.distinct_keys,
        count(sessions.session_key) as session_count
    from last_windows
    left join sessions
        on last_windows.appliance = sessions.appliance
        and last_windows.window_start <= sessions.start_time
        and coalesce(last_windows.window_end, timestamp '9999-12-31') > sessions.start_time
    group by last_windows.appliance, last_windows.window_start, last_windows.window_end, last_windows.distinct_keys
)

select counted_windows.*
from counted_windows
left join unreadable_sessions on counted_windows.appliance = unreadable_sessions.appliance
where counted_windows.session_count + coalesce(unreadable_sessions.row_count, 0) < counted_windows.distinct_keys
