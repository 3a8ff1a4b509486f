-- What backfills of a range that broke off have read since one of it was complete: one row per window.
with backfills as (
    select
        run_id,
        status,
        started_at
    from sync_runs
    where appliance = $appliance and kind = 'backfill' and range_start = $range_start and range_end = $range_end
),

complete_ones as (
    select coalesce(max(started_at), timestamp '1970-01-01') as last_started_at
    from backfills
    where status = 'done'
)

select
    w.window_start,
    w.window_end
from sync_windows as w
inner join backfills as b on w.run_id = b.run_id
inner join complete_ones as c on b.started_at > c.last_started_at
where b.status <> 'done' and w.verdict <> 'doubted' and w.window_end is not null
