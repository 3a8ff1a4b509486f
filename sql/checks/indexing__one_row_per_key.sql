-- fatal: offending rows are states of indexing that are there more than once; none may be
select
    appliance,
    session_key,
    position,
    count(*) as row_count
from indexing
group by appliance, session_key, position
having count(*) > 1
