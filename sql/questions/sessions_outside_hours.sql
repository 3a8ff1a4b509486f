-- Who works outside of the office hours of SPSETL_OFFICE_HOURS: one row per user with a session that began then.
select
    user_name::varchar as user_name,
    count(*)::bigint as session_count,
    count(*) filter (where is_outside_office_hours)::bigint as outside_count,
    round(
        (100.0 * count(*) filter (where is_outside_office_hours) / count(*))::decimal(18, 6), 1
    )::double as percent_of_sessions,
    max(started_at) filter (where is_outside_office_hours)::timestamp as last_outside_at
from mart.fct_sessions
where user_name is not null
group by user_name
having count(*) filter (where is_outside_office_hours) > 0
order by outside_count desc, user_name
limit 20
