-- Scored sessions of the period by their risk score, 100 being with 90 to 99: one row per ten points.
with bins as (
    select ranges.lowest
    from range(0, 100, 10) as ranges (lowest)
),

counted_sessions as (
    select
        least(greatest(floor(risk_score / 10)::integer, 0), 9) * 10 as lowest,
        count(*) as session_count
    from mart.fct_sessions
    where
        started_at >= $range_start::timestamp and started_at < $range_end::timestamp
        and risk_score is not null
    group by lowest
)

select
    bins.lowest::integer as lowest,
    coalesce(counted_sessions.session_count, 0)::bigint as session_count
from bins
left join counted_sessions on bins.lowest = counted_sessions.lowest
order by bins.lowest
