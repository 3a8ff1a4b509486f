-- fatal: offending rows are channels of sessions that are not in the copy; none may be
select distinct
    channels.appliance,
    channels.session_key
from channels
anti join sessions
    on channels.appliance = sessions.appliance
    and channels.session_key = sessions.session_key
