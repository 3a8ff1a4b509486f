-- fatal: offending rows are sessions that are there more than once; none may be
select
    appliance,
    session_key,
    count(*) as row_count
from sessions
group by appliance, session_key
having count(*) > 1
