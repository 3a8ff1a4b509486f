-- Sessions whose details the appliance has not given though it has the session: one row per reason.
with failing_sessions as (
    select
        failures.session_key,
        min(failures.error) as error
    from detail_fetches as failures
    inner join sessions
        on failures.appliance = sessions.appliance
        and failures.session_key = sessions.session_key
    where
        failures.appliance = $appliance
        and failures.status in ('failed', 'absent')
        and failures.kind in $kinds
        and sessions.missing_since is null
        and ($range_start::timestamp is null or sessions.start_time >= $range_start::timestamp)
        and ($range_end::timestamp is null or sessions.start_time < $range_end::timestamp)
    group by failures.session_key
)

select
    error,
    count(*)::bigint as session_count,
    min(session_key, 5) as first_keys
from failing_sessions
group by error
order by session_count desc, error
