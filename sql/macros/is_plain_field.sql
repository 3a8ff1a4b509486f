-- Whether a field has one value per session, in a column of sessions: one truth per field.
create or replace macro is_plain_field(field) as
field_list(field) is null and field_algorithm(field) is null
