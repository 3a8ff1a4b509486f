-- fatal: offending rows are events of sessions that are not in the copy; none may be
select distinct
    events.appliance,
    events.session_key
from events
anti join sessions
    on events.appliance = sessions.appliance
    and events.session_key = sessions.session_key
