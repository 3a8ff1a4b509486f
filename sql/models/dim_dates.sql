-- One row per day (UTC) from the first session's start to the last one's.
with bounds as (
    select
        min(started_date)::timestamp as first_day,
        max(started_date)::timestamp as last_day
    from mart.fct_sessions
),

days as (
    select unnest(generate_series(first_day, last_day, interval 1 day))::date as date_day
    from bounds
)

select
    date_day::date as date_day,
    year(date_day)::integer as year,
    quarter(date_day)::integer as quarter,
    month(date_day)::integer as month,
    monthname(date_day)::varchar as month_name,
    weekofyear(date_day)::integer as week,
    day(date_day)::integer as day_of_month,
    isodow(date_day)::integer as weekday,
    dayname(date_day)::varchar as weekday_name,
    (isodow(date_day) in (6, 7))::boolean as is_weekend,
    list_contains($office_days::integer[], isodow(date_day)::integer)::boolean as is_office_day
from days
