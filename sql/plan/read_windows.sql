-- What runs have read whole of the list and not doubted since: one row per window, the newest reading first.
-- An open window ends at the newest session that the copy had of it, or at its own start.
with newest_sessions as (
    select max(start_time) as start_time
    from sessions
    where appliance = $appliance
)

select
    w.window_start,
    coalesce(w.window_end, greatest(w.window_start, least(w.finished_at, s.start_time))) as window_end,
    w.finished_at
from sync_windows as w
cross join newest_sessions as s
left join sync_runs as r on w.run_id = r.run_id
where
    w.appliance = $appliance
    and w.kind in ('list', 'sweep')
    and w.verdict is distinct from 'doubted'
    and ($since::timestamp is null or w.finished_at > $since::timestamp)
    and w.finished_at <= $now::timestamp  -- else its clock was wrong, and nobody knows when that was
    and (not $of_unfinished_syncs or (r.kind = 'sync' and r.status <> 'done'))
order by w.finished_at desc
