-- The algorithm in analytics.score.details.<algorithm>.score, null for any other field: one text per field.
create or replace macro field_algorithm(field) as
nullif(regexp_extract(field, '^analytics\.score\.details\.(.+)\.score$', 1), '')
