-- Sessions by bins of time, as the appliance's /api/audit/sessions/histogram: one row per bin, empty ones included.
--   from session_histogram('hour', start_at := timestamp '2024-03-01', end_at := timestamp '2024-03-02')
--   from session_histogram('day', time_zone := 'Europe/Budapest', field := 'recording.connection_policy')
-- bin_size is second, minute, hour, day, week (from Monday), month or year. start_count counts the sessions that
-- started in the bin, active_count those that were alive at some moment of it; with a field, those that have a value
-- of it. The bins run from the one with start_at, by default the first session's start, to the one with the last
-- moment before end_at, by default after the last session's start. Days and longer ones are those of the zone's
-- calendar, shorter ones are of equal length. start_at, end_at, bin_start and bin_end are UTC. among names a table or
-- view with the columns of sessions, whose rows alone are counted, see session_stats.
-- Sessions that the appliance has lost meanwhile count: they are history.
create or replace macro session_histogram(
    bin_size,
    start_at := null,
    end_at := null,
    time_zone := 'UTC',
    match := 'started',
    field := null,
    appliance := null,
    now_at := null,
    among := 'sessions'
) as table (
    with extremes as (
        select
            coalesce(cast(start_at as timestamp), min(sessions.start_time)) as first_time,
            coalesce(cast(end_at as timestamp) - interval 1 microsecond, max(sessions.start_time)) as last_time
        from query_table(among) as sessions
        where appliance is null or sessions.appliance = appliance
    ),

    local_extremes as (
        select
            first_time,
            last_time,
            as_local_time(first_time, time_zone) as first_local_time,
            as_local_time(last_time, time_zone) as last_local_time
        from extremes
    ),

    origins as (
        select
            first_time,
            last_time,
            first_local_time,
            last_local_time,
            bin_floor(first_local_time, bin_size) as first_local
        from local_extremes
        where first_time <= last_time
    ),

    first_bins as (
        select
            last_time,
            last_local_time,
            first_local,
            case
                when bin_size in ('second', 'minute', 'hour') then first_time - (first_local_time - first_local)
                else as_utc_time(first_local, time_zone)
            end as first_bin
        from origins
    ),

    wishes as (
        select
            first_local,
            first_bin,
            bin_number(last_time, last_local_time, bin_size, time_zone, first_bin, first_local) as wanted
        from first_bins
    ),

    plans as (
        select
            first_local,
            first_bin,
            case
                when wanted <= 65536 then wanted
                else error('too many bins: ' || wanted || ', limit 65536; use larger bins or a shorter range')
            end as bin_count
        from wishes
    ),

    bins as (
        select unnest(range(1, bin_count + 1)) as number
        from plans
    ),

    population as not materialized (
        select
            sessions.appliance,
            sessions.session_key,
            sessions.start_time,
            end_or_now(sessions.end_time, now_at) as last_time,
            case when is_plain_field(field) then columns(plain_column(field)) end as plain_value
        from query_table(among) as sessions
        where
            is_in_range(sessions.start_time, sessions.end_time, match, start_at, end_at, now_at)
            and (appliance is null or sessions.appliance = appliance)
    ),

    spans as (
        select
            start_time,
            last_time
        from population
        where field is null or plain_value is not null
        union all
        select
            population.start_time,
            population.last_time
        from population
        semi join own_rows(field) using (appliance, session_key)
        where not is_plain_field(field)
    ),

    local_spans as (
        select
            start_time,
            last_time,
            as_local_time(start_time, time_zone) as local_start,
            as_local_time(last_time, time_zone) as local_last
        from spans
    ),

    -- From here on a row is a pair of bins and no longer a session.
    counted as (
        select
            bin_number(
                spans.start_time, spans.local_start, bin_size, time_zone, plans.first_bin, plans.first_local
            ) as first_number,
            bin_number(
                spans.last_time, spans.local_last, bin_size, time_zone, plans.first_bin, plans.first_local
            ) as last_number,
            count(*) as sessions
        from local_spans as spans
        cross join plans
        group by first_number, last_number
    ),

    changes as (
        select
            greatest(first_number, 1) as number,
            case when first_number >= 1 then sessions else 0 end as started,
            sessions as change
        from counted
        union all
        select
            -- A session that seems to end before it starts was alive at its start all the same.
            greatest(first_number, last_number, 0) + 1 as number,
            0 as started,
            -sessions as change
        from counted
    ),

    bin_changes as (
        select
            number,
            sum(started) as started,
            sum(change) as change
        from changes
        group by number
    ),

    bin_counts as (
        select
            bin_start(bins.number, bin_size, time_zone, plans.first_bin, plans.first_local) as bin_start,
            bin_start(bins.number + 1, bin_size, time_zone, plans.first_bin, plans.first_local) as bin_end,
            coalesce(bin_changes.started, 0) as started,
            sum(coalesce(bin_changes.change, 0)) over (order by bins.number) as active
        from bins
        cross join plans
        left join bin_changes using (number)
    )

    select
        bin_start,
        bin_end,
        cast(started as bigint) as start_count,
        cast(active as bigint) as active_count,
        bin_label(bin_start, time_zone) as id
    from bin_counts
    -- A day that the calendar of a zone left out has no length.
    where bin_start < bin_end
    order by bin_start
)
