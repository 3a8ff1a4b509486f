-- fatal: offending rows are sessions that mart.fct_sessions has not once, or has and the copy has not; none may be
select
    appliance,
    session_key,
    sum(copied) as copied_rows,
    sum(built) as built_rows
from (
    select
        appliance,
        session_key,
        1 as copied,
        0 as built
    from sessions
    union all
    select
        appliance,
        session_key,
        0 as copied,
        1 as built
    from mart.fct_sessions
) as counted
group by appliance, session_key
having sum(copied) <> 1 or sum(built) <> 1
