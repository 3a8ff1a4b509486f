-- The values of a field that has rows of its own, a list or a score: one row per session and distinct value.
-- A value that stands twice in one list counts once. Few lists are longer than one value, so it is cheaper to look for
-- the repeats than to make all rows distinct.
create or replace macro own_values(field) as table (
    with list_values as (
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
    ),

    repeats as (
        select
            later.appliance,
            later.session_key,
            later.position
        from list_values as earlier
        inner join list_values as later using (appliance, session_key, value)
        where later.position > 0 and later.position > earlier.position
    )

    select
        list_values.appliance,
        list_values.session_key,
        list_values.value
    from list_values
    anti join repeats using (appliance, session_key, position)
    union all
    select
        session_scores.appliance,
        session_scores.session_key,
        as_text(session_scores.score) as value
    from session_scores
    where
        not is_plain_field(field)
        and session_scores.algorithm = regexp_extract(field, '^analytics\.score\.details\.(.+)\.score$', 1)
        and session_scores.score is not null
)
