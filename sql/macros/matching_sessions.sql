-- The sessions that a statistic is about: one row per session. Those that the appliance has lost meanwhile count too.
create or replace macro matching_sessions(match, start_at, end_at, appliance, now_at) as table (
    select sessions.*
    from sessions
    where
        is_in_range(sessions.start_time, sessions.end_time, match, start_at, end_at, now_at)
        and (appliance is null or sessions.appliance = appliance)
)
