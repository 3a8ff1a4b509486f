-- Who works at night and on weekends: one row per user with sessions outside of Monday to Friday, 7 to 19 UTC.
with marked_sessions as (
    select
        user_name,
        start_time,
        isodow(start_time) in (6, 7) as is_weekend,
        hour(start_time) not between 7 and 18 as is_night
    from sessions
    where user_name is not null
)

select
    user_name::varchar as user_name,
    count(*) filter (is_weekend)::bigint as weekend_count,
    count(*) filter (is_night and not is_weekend)::bigint as night_count,
    round(100.0 * count(*) filter (is_weekend or is_night) / count(*), 1)::double as percent_of_sessions,
    max(start_time) filter (is_weekend or is_night)::timestamp as last_outside_at
from marked_sessions
group by user_name
having count(*) filter (is_weekend or is_night) > 0
order by weekend_count + night_count desc, user_name
limit 20
