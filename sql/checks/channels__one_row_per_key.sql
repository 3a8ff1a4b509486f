-- fatal: offending rows are channels that are there more than once; none may be
select
    appliance,
    session_key,
    channel_key,
    count(*) as row_count
from channels
group by appliance, session_key, channel_key
having count(*) > 1
