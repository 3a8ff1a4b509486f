-- The scores of the versions that won: one row per session and algorithm.
-- Rows of the first files have no extracted_at: it is that of the session, which the same run wrote.
select found.* replace (current_sessions.extracted_at as extracted_at)  -- noqa: AM04
from lake_session_scores as found
inner join current_sessions
    on found.appliance = current_sessions.appliance
    and found.session_key = current_sessions.session_key
    and found.run_id = current_sessions.run_id
    and coalesce(found.extracted_at = current_sessions.extracted_at, true)
