-- The values of a field that has rows of its own, a list or a score: one row per session and distinct value.
-- A value that stands twice in one list counts once. Few lists are longer than one value, so it is cheaper to look for
-- the repeats than to make all rows distinct.
create or replace macro own_values(field) as table (
    with own as (
        select
            listed.appliance,
            listed.session_key,
            listed.position,
            listed.value
        from own_rows(field) as listed
    ),

    repeats as (
        select
            later.appliance,
            later.session_key,
            later.position
        from own as earlier
        inner join own as later using (appliance, session_key, value)
        where later.position > 0 and later.position > earlier.position
    )

    select
        own.appliance,
        own.session_key,
        own.value
    from own
    anti join repeats using (appliance, session_key, position)
)
