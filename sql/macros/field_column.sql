-- The column of sessions that a field of the API goes to, in its new or its old spelling: one name per field.
-- psm is the old name of recording, address that of ip; a column's own name stays as it is. A field that has rows of
-- its own, and no field at all, get the session's key, for `columns(…)` has to find something.
create or replace macro field_column(field) as
replace(
    regexp_replace(
        regexp_replace(
            regexp_replace(field, '^(psm\.)?(name|gateway_username|server_username)$', 'user.\2'),
            '^psm\.', 'recording.'
        ),
        '\.address$', '.ip'
    ),
    '.', '_'
)
