-- The runs that came to an end: one row per run.
select runs.*  -- noqa: AM04
from lake_sync_runs as runs
qualify row_number() over (partition by runs.run_id order by runs.finished_at desc) = 1
