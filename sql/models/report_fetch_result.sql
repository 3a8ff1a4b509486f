-- One row per run of a sync, backfill or reconciliation: what it fetched and how it ended, the newest first.
select
    r.run_id::varchar as run_id,
    r.appliance::varchar as appliance,
    r.kind::varchar as run_kind,
    r.status::varchar as status,
    r.strategy::varchar as strategy,
    r.started_at::timestamp as started_at,
    r.started_at::date as started_date,
    r.finished_at::timestamp as finished_at,
    r.seconds::double as duration_seconds,
    r.range_start::timestamp as range_start_at,
    r.range_end::timestamp as range_end_at,
    r.watermark::timestamp as watermark_at,
    r.sessions_seen::bigint as seen_count,
    r.sessions_new::bigint as new_count,
    r.sessions_changed::bigint as changed_count,
    r.sessions_missing::bigint as missing_count,
    r.quarantined::bigint as quarantined_count,
    r.requests::bigint as request_count,
    (r.status = 'done')::boolean as is_done,
    r.error::varchar as error,
    r.spsetl_version::varchar as spsetl_version
from main.sync_runs as r
order by r.started_at desc, r.run_id
