-- Whether a field has one value per session, in a column of sessions: one truth per field.
-- The others have rows of their own: lists in session_lists, the scores of analytics algorithms in session_scores.
create or replace macro is_plain_field(field) as
not regexp_matches(
    field,
    '^(analytics[._](interesting_events|similar_sessions|tags)|((user[._]|psm\.)?server_username)'
    || '|analytics\.score\.details\..+\.score)$'
)
