-- What a run read of the list: one row per window, the oldest start_time first.
select
    kind::varchar as kind,
    window_start::timestamp as window_start,
    window_end::timestamp as window_end,
    requests::bigint as requests,
    distinct_keys::bigint as sessions,
    source_count::bigint as appliance_count,
    verdict::varchar as verdict
from sync_windows
where appliance = $appliance::varchar and run_id = $run_id::varchar
order by window_start, finished_at
limit $size::bigint
