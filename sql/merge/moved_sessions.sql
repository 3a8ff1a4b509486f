-- How many sessions came, or were there, under more than one start_time: one row per call.
-- What two windows list is one session.
with started_sessions as (
    select
        appliance,
        session_key,
        start_time
    from part_sessions
    union
    select
        sessions.appliance,
        sessions.session_key,
        sessions.start_time
    from sessions
    semi join incoming_sessions using (appliance, session_key)
),

counted_starts as (
    select count(*) as starts
    from started_sessions
    group by appliance, session_key
)

select coalesce(sum(starts - 1), 0)::bigint as moved
from counted_starts
