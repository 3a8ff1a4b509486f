-- Sessions of the period by bins of $bin_size (UTC), those outside office hours, and alerts: one row per bin.
with bins as (
    select unnest(
        generate_series(
            date_trunc($bin_size::varchar, $range_start::timestamp)::timestamp,
            $range_end::timestamp - interval 1 microsecond,
            ('1 ' || $bin_size::varchar)::interval
        )
    ) as bin_start
),

counted_sessions as (
    select
        date_trunc($bin_size::varchar, started_at)::timestamp as bin_start,
        count(*) as session_count,
        count(*) filter (where is_outside_office_hours) as outside_count,
        sum(alert_count) as alert_count,
        count(*) filter (where alert_count is null) as alerts_unknown_count
    from mart.fct_sessions
    where started_at >= $range_start::timestamp and started_at < $range_end::timestamp
    group by bin_start
)

select
    bins.bin_start::timestamp as bin_start,
    (bins.bin_start + ('1 ' || $bin_size::varchar)::interval)::timestamp as bin_end,
    coalesce(counted_sessions.session_count, 0)::bigint as session_count,
    coalesce(counted_sessions.outside_count, 0)::bigint as outside_count,
    coalesce(counted_sessions.alert_count, 0)::bigint as alert_count,
    coalesce(counted_sessions.alerts_unknown_count, 0)::bigint as alerts_unknown_count
from bins
left join counted_sessions on bins.bin_start = counted_sessions.bin_start
order by bin_start
