-- fatal: offending rows are states of indexing of sessions that are not in the copy; none may be
select distinct
    indexing.appliance,
    indexing.session_key
from indexing
anti join sessions
    on indexing.appliance = sessions.appliance
    and indexing.session_key = sessions.session_key
