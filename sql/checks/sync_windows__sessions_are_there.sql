-- fatal: offending rows are windows of the last run that listed more sessions than the copy has in them; none may be,
-- but for sessions that two windows listed, each under another start_time: the copy has them in one
with last_runs as (
    select
        run_id,
        coalesce(sessions_moved, 0) as sessions_moved
    from sync_runs
    order by started_at desc, run_id desc
    limit 1
),

last_windows as (
    select sync_windows.*
    from sync_windows
    semi join last_runs on sync_windows.run_id = last_runs.run_id
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
        and (last_windows.window_end is null or last_windows.window_end > sessions.start_time)
    group by last_windows.appliance, last_windows.window_start, last_windows.window_end, last_windows.distinct_keys
),

short_windows as (
    select
        counted_windows.*,
        sum(counted_windows.distinct_keys - counted_windows.session_count) over () as lacking
    from counted_windows
    left join unreadable_sessions on counted_windows.appliance = unreadable_sessions.appliance
    where counted_windows.session_count + coalesce(unreadable_sessions.row_count, 0) < counted_windows.distinct_keys
)

select short_windows.*
from short_windows
where short_windows.lacking > (select last_runs.sessions_moved from last_runs)
