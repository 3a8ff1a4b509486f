-- warning: offending rows are windows of the last run in which the appliance counts other than it lists
select
    appliance,
    window_start,
    window_end,
    distinct_keys,
    source_count
from sync_windows
where
    verdict = 'differs'
    and run_id = (select arg_max(sync_runs.run_id, sync_runs.started_at) from sync_runs)
