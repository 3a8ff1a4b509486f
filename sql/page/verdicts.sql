-- What was decided about the sessions of the period: one row per verdict.
select
    verdict::varchar as verdict,
    coalesce(verdict like 'ACCEPT%', false)::boolean as is_accepted,
    count(*)::bigint as session_count,
    count(distinct user_name)::bigint as user_count,
    round((100.0 * count(*) / sum(count(*)) over ())::decimal(18, 6), 1)::double as percent_of_sessions,
    max(started_at)::timestamp as last_started_at
from mart.fct_sessions
where started_at >= $range_start::timestamp and started_at < $range_end::timestamp
group by verdict
order by session_count desc, verdict
