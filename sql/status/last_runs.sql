-- The last runs of one kind that were complete: one row per run, the newest first.
select
    run_id::varchar as run_id,
    started_at::timestamp as started_at,
    sessions_new::bigint as new,
    sessions_changed::bigint as changed,
    sessions_missing::bigint as missing,
    quarantined::bigint as quarantined,
    requests::bigint as requests,
    (seconds / 60)::double as minutes
from sync_runs
where
    appliance = $appliance::varchar and kind = $kind::varchar and status = 'done' and run_id <> $run_id::varchar
order by started_at desc
limit $size::bigint
