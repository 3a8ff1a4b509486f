-- fatal: offending rows are downloads of sessions that are not in the copy; none may be
select distinct
    trail_downloads.appliance,
    trail_downloads.session_key
from trail_downloads
anti join sessions
    on trail_downloads.appliance = sessions.appliance
    and trail_downloads.session_key = sessions.session_key
