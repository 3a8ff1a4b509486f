-- Where the values of a field stand that has rows of its own, a list or a score: one row per value of a session.
create or replace macro own_rows(field) as table (
    select
        session_lists.appliance,
        session_lists.session_key,
        session_lists.position,
        session_lists.value
    from session_lists
    where
        not is_plain_field(field)
        and session_lists.field = regexp_replace(field_column(field), '^(analytics|user)_', '\1.')
        and session_lists.value is not null
    union all
    select
        session_scores.appliance,
        session_scores.session_key,
        0 as position,
        as_text(session_scores.score) as value
    from session_scores
    where
        not is_plain_field(field)
        and session_scores.algorithm = regexp_extract(field, '^analytics\.score\.details\.(.+)\.score$', 1)
        and session_scores.score is not null
)
