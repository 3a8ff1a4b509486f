-- fatal: offending rows are alerts of sessions that are not in the copy; none may be
select distinct
    alerts.appliance,
    alerts.session_key
from alerts
anti join sessions
    on alerts.appliance = sessions.appliance
    and alerts.session_key = sessions.session_key
