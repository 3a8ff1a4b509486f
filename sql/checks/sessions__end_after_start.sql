-- warning: offending rows are sessions that end before they start; the appliance says so
select
    appliance,
    session_key,
    start_time,
    end_time
from sessions
where end_time < start_time
