-- The column to read for a field: one name per field. For one that is not plain, or none, any column will do.
create or replace macro plain_column(field) as
case when field is not null and is_plain_field(field) then field_column(field) else 'session_key' end
