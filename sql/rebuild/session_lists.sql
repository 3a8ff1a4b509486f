-- The values of the lists of the versions that won: one row per value.
select found.*  -- noqa: AM04
from lake_session_lists as found
semi join current_sessions
    on found.appliance = current_sessions.appliance
    and found.session_key = current_sessions.session_key
    and found.extracted_at = current_sessions.extracted_at
    and found.run_id = current_sessions.run_id
