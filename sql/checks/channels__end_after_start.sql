-- warning: offending rows are channels that end before they start; the appliance says so
select
    appliance,
    session_key,
    channel_key,
    start_time,
    end_time
from channels
where end_time < start_time
