-- fatal: offending rows are sessions without a key or an appliance; none may be
select
    appliance,
    session_key
from sessions
where appliance is null or session_key is null
