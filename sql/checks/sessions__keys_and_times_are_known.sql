-- fatal: offending rows are sessions without a key, an appliance or a start; none may be
select
    appliance,
    session_key,
    start_time
from sessions
where appliance is null or session_key is null or start_time is null
