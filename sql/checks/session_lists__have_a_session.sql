-- fatal: offending rows are session_lists of sessions that are not in the copy; none may be
select distinct
    session_lists.appliance,
    session_lists.session_key
from session_lists
anti join sessions
    on session_lists.appliance = sessions.appliance
    and session_lists.session_key = sessions.session_key
