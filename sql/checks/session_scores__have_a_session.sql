-- fatal: offending rows are session_scores of sessions that are not in the copy; none may be
select distinct
    session_scores.appliance,
    session_scores.session_key
from session_scores
anti join sessions
    on session_scores.appliance = sessions.appliance
    and session_scores.session_key = sessions.session_key
