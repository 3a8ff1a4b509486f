-- The scores of the versions that won: one row per session and algorithm.
select found.*  -- noqa: AM04
from lake_session_scores as found
semi join current_sessions
    on found.appliance = current_sessions.appliance
    and found.session_key = current_sessions.session_key
    and found.extracted_at = current_sessions.extracted_at
    and found.run_id = current_sessions.run_id
