-- Sessions of the period by the hour they began in, in the office hours' time zone: one row per weekday and hour.
with hours as (
    select
        weekdays.weekday,
        hours_of_day.hour_of_day
    from range(1, 8) as weekdays (weekday)
    cross join range(0, 24) as hours_of_day (hour_of_day)
),

counted_sessions as (
    select
        started_weekday,
        started_hour,
        count(*) as session_count
    from mart.fct_sessions
    where started_at >= $range_start::timestamp and started_at < $range_end::timestamp
    group by started_weekday, started_hour
)

select
    hours.weekday::integer as weekday,
    hours.hour_of_day::integer as hour_of_day,
    coalesce(counted_sessions.session_count, 0)::bigint as session_count
from hours
left join counted_sessions
    on hours.weekday = counted_sessions.started_weekday
    and hours.hour_of_day = counted_sessions.started_hour
order by hours.weekday, hours.hour_of_day
