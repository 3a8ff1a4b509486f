-- When sessions begin, by the clock of SPSETL_OFFICE_HOURS: one row per weekday and hour, those without a session too.
with hours as (
    select
        weekdays.weekday,
        hours_of_day.hour_of_day
    from range(1, 8) as weekdays (weekday)
    cross join range(0, 24) as hours_of_day (hour_of_day)
)

select
    hours.weekday::integer as weekday,
    (['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])[hours.weekday]::varchar as weekday_name,
    hours.hour_of_day::integer as hour_of_day,
    count(s.session_key)::bigint as session_count,
    count(distinct s.user_name)::bigint as user_count,
    count(distinct s.server_key)::bigint as server_count,
    count(*) filter (where s.has_failed_login)::bigint as failed_login_count
from hours
left join mart.fct_sessions as s on hours.weekday = s.started_weekday and hours.hour_of_day = s.started_hour
group by hours.weekday, hours.hour_of_day
order by hours.weekday, hours.hour_of_day
