-- fatal: offending rows are alerts that are there more than once; none may be
select
    appliance,
    session_key,
    record_id,
    count(*) as row_count
from alerts
group by appliance, session_key, record_id
having count(*) > 1
