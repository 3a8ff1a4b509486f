-- What the runs that began from $since to $now did: one row per kind of run.
select
    kind::varchar as kind,
    count(*) filter (where status = 'done')::bigint as done_count,
    count(*) filter (where status in ('failed', 'killed'))::bigint as failed_count,
    coalesce(sum(sessions_new) filter (where status = 'done'), 0)::bigint as new_count,
    coalesce(sum(sessions_changed) filter (where status = 'done'), 0)::bigint as changed_count,
    coalesce(sum(sessions_missing) filter (where status = 'done'), 0)::bigint as missing_count,
    max(finished_at)::timestamp as last_finished_at
from sync_runs
where started_at > $since::timestamp and started_at <= $now::timestamp
group by kind
order by kind
