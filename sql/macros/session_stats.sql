-- The most frequent values of a field, as the appliance's /api/audit/sessions/stats: one row per value, by count
-- descending, then by value; with a sub_field, one row per value and value of the sub-field.
--   from session_stats('recording.connection_policy', size := 5)
--   from session_stats('user.name', sub_field := 'protocol', start_at := timestamp '2024-03-01', match := 'overlap')
-- count and others count sessions; others those of the values that are not shown. A session without the field counts
-- nowhere, a list-valued field once per distinct value. size limits the values, and the sub-values of each.
-- among names a table or view with the columns of sessions, whose rows alone are counted:
--   with odd as (select * from sessions where verdict <> 'ACCEPT') from session_stats('user.name', among := 'odd')
-- Times are UTC. Sessions that the appliance has lost meanwhile count: they are history.
create or replace macro session_stats(
    field,
    sub_field := null,
    size := 10,
    start_at := null,
    end_at := null,
    match := 'started',
    appliance := null,
    now_at := null,
    among := 'sessions'
) as table (
    -- A field that has rows of its own is null here, and one that has none is empty in own_values.
    with population as not materialized (
        select
            sessions.appliance,
            sessions.session_key,
            case when is_plain_field(field) then columns(plain_column(field)) end as plain_value,
            case when is_plain_field(sub_field) then columns(plain_column(sub_field)) end as plain_sub_value
        from query_table(among) as sessions
        where
            is_in_range(sessions.start_time, sessions.end_time, match, start_at, end_at, now_at)
            and (appliance is null or sessions.appliance = appliance)
    ),

    field_rows as (
        select
            own.appliance,
            own.session_key,
            own.value
        from own_values(field) as own
    ),

    -- Counted first, made text after: that is a text per value and not per session.
    plain_counts as (
        select
            plain_value,
            count(*) as sessions
        from population
        where plain_value is not null
        group by plain_value
    ),

    plain_sub_counts as (
        select
            plain_value,
            plain_sub_value,
            count(*) as sessions
        from population
        where plain_value is not null and plain_sub_value is not null
        group by plain_value, plain_sub_value
    ),

    value_counts as materialized (
        select
            as_text(plain_value) as value,
            sessions
        from plain_counts
        union all
        select
            field_rows.value,
            count(*) as sessions
        from population
        inner join field_rows using (appliance, session_key)
        where not (start_at is null and end_at is null and appliance is null and among = 'sessions')
        group by field_rows.value
        union all
        -- The same without the join, which takes longest, where every session counts.
        select
            value,
            count(*) as sessions
        from field_rows
        where start_at is null and end_at is null and appliance is null and among = 'sessions'
        group by value
    ),

    ordered_values as (
        select
            value,
            sessions
        from value_counts
        order by sessions desc, value asc
        limit size
    ),

    top_values as (
        select
            value,
            sessions,
            sum(sessions) over () as shown
        from ordered_values
    ),

    pairs as (
        select
            coalesce(as_text(population.plain_value), field_rows.value) as value,
            coalesce(as_text(population.plain_sub_value), sub_field_rows.value) as sub_value
        from population
        left join field_rows using (appliance, session_key)
        left join own_values(sub_field) as sub_field_rows using (appliance, session_key)
        where sub_field is not null and not (is_plain_field(field) and is_plain_field(sub_field))
    ),

    sub_value_counts as (
        select
            as_text(plain_value) as value,
            as_text(plain_sub_value) as sub_value,
            sessions
        from plain_sub_counts
        union all
        select
            value,
            sub_value,
            count(*) as sessions
        from pairs
        where value is not null and sub_value is not null
        group by value, sub_value
    ),

    ranked_sub_values as (
        select
            value,
            sub_value,
            sub_value_counts.sessions,
            sum(sub_value_counts.sessions) over (partition by value) as total,
            row_number() over (partition by value order by sub_value_counts.sessions desc, sub_value asc) as place
        from sub_value_counts
        semi join top_values using (value)
    ),

    top_sub_values as (
        select
            value,
            sub_value,
            sessions,
            total - sum(sessions) over (partition by value) as others
        from ranked_sub_values
        where place <= size
    )

    select
        top_values.value,
        top_values.sessions as count,
        cast((select sum(value_counts.sessions) from value_counts) - top_values.shown as bigint) as others,
        top_sub_values.sub_value,
        top_sub_values.sessions as sub_count,
        cast(case when sub_field is not null then coalesce(top_sub_values.others, 0) end as bigint) as sub_others
    from top_values
    left join top_sub_values using (value)
    order by count desc, top_values.value asc, sub_count desc, sub_value asc
)
