-- The windows that these runs have read: one row per window and run.
-- Of a run that was killed a window can be in the lake before its sessions: it is read again.
select windows.*  -- noqa: AM04
from lake_sync_windows as windows
semi join lake_sync_runs as runs on windows.run_id = runs.run_id
qualify row_number() over (
    partition by windows.appliance, windows.run_id, windows.kind, windows.window_start
    order by windows.finished_at desc
) = 1
