-- Who began most sessions of the period outside office hours: one row per user.
select
    user_name::varchar as user_name,
    count(*) filter (where is_outside_office_hours)::bigint as outside_count,
    count(*) filter (where is_outside_office_hours and started_weekday in (6, 7))::bigint as weekend_count,
    round(
        (100.0 * count(*) filter (where is_outside_office_hours) / count(*))::decimal(18, 6), 1
    )::double as percent_of_sessions,
    max(started_at) filter (where is_outside_office_hours)::timestamp as last_outside_at,
    count(*) over ()::bigint as row_total
from mart.fct_sessions
where started_at >= $range_start::timestamp and started_at < $range_end::timestamp
group by user_name
having count(*) filter (where is_outside_office_hours) > 0
order by outside_count desc, user_name
limit $size::bigint
