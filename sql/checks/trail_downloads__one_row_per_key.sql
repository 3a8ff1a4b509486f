-- fatal: offending rows are downloads that are there more than once; none may be
select
    appliance,
    session_key,
    position,
    count(*) as row_count
from trail_downloads
group by appliance, session_key, position
having count(*) > 1
