-- The pattern that `columns(…)` finds the column of a field by: one pattern per field.
-- A score has no column, and no field has none either: they find the session's key, for something has to be found.
create or replace macro plain_column(field) as
'^'
|| regexp_escape(
    field_column(
        regexp_replace(coalesce(field, 'session_key'), '^analytics\.score\.details\..+\.score$', 'session_key')
    )
)
|| '$'
