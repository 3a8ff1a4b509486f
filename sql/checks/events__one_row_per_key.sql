-- fatal: offending rows are events that are there more than once; none may be
select
    appliance,
    session_key,
    record_id,
    count(*) as row_count
from events
group by appliance, session_key, record_id
having count(*) > 1
