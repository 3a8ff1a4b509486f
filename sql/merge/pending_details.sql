-- Sessions whose details are to be asked for, the newest first, after a place in that order: one row per session.
-- What was asked for in vain waits: for the next run, then for 2, 4 and 7 nights; half a day less, since no night is
-- the same to the minute. A time in the future is of a clock that was wrong. Without $now, nothing waits.
-- A session whose start is not known comes last, as if it were of the year 1.
-- Of kinds that are not in $open only what was asked for before is asked for again.
with tried as (
    select
        session_key,
        kind,
        tries,
        (
            $now::timestamp is null
            or tries <= 1
            or extracted_at > $now::timestamp
            or extracted_at + to_hours((24 * least(2 ** (tries - 1), 7))::integer - 12) <= $now::timestamp
        ) as is_due
    from detail_failures
    where appliance = $appliance
),

failures as (
    select
        session_key,
        map(list(kind), list(tries)) as tries,
        coalesce(list(kind) filter (where is_due), []) as due,
        coalesce(list(kind) filter (where not is_due), []) as waiting
    from tried
    group by session_key
),

candidates as (
    select
        sessions.session_key,
        coalesce(sessions.start_time, timestamp '0001-01-01') as place_time,
        sessions.revision,
        sessions.row_hash,
        sessions.channels_status,
        sessions.events_status,
        sessions.alerts_status,
        sessions.trail_downloads_status,
        sessions.indexing_status,
        failures.tries,
        failures.due,
        failures.waiting
    from sessions
    left join failures on sessions.session_key = failures.session_key
    where
        sessions.appliance = $appliance
        and sessions.missing_since is null
        and (
            $after_time::timestamp is null
            or place_time < $after_time::timestamp
            or (place_time = $after_time::timestamp and sessions.session_key > $after_key)
        )
        and ($range_start::timestamp is null or sessions.start_time >= $range_start::timestamp)
        and ($range_end::timestamp is null or sessions.start_time < $range_end::timestamp)
        and (
            failures.session_key is not null
            or 'pending' in (channels_status, events_status, alerts_status, trail_downloads_status, indexing_status)
        )
),

wanted as (
    select
        session_key,
        place_time,
        revision,
        row_hash,
        tries,
        'channels' in $kinds and case
            when channels_status = 'pending' and tries is null then 'channels' in $open
            when channels_status = 'pending'
                then ('channels' in $open or 'channels' in due) and 'channels' not in waiting
            when channels_status = 'gone' then coalesce('channels' in due, false)
            else false
        end as wants_channels,
        'events' in $kinds and case
            when events_status = 'pending' and tries is null then 'events' in $open
            when events_status = 'pending'
                then ('events' in $open or 'events' in due) and 'events' not in waiting
            when events_status = 'gone' then coalesce('events' in due, false)
            else false
        end as wants_events,
        'alerts' in $kinds and case
            when alerts_status = 'pending' and tries is null then 'alerts' in $open
            when alerts_status = 'pending'
                then ('alerts' in $open or 'alerts' in due) and 'alerts' not in waiting
            when alerts_status = 'gone' then coalesce('alerts' in due, false)
            else false
        end as wants_alerts,
        'trail_downloads' in $kinds and case
            when trail_downloads_status = 'pending' and tries is null then 'trail_downloads' in $open
            when trail_downloads_status = 'pending'
                then ('trail_downloads' in $open or 'trail_downloads' in due) and 'trail_downloads' not in waiting
            when trail_downloads_status = 'gone' then coalesce('trail_downloads' in due, false)
            else false
        end as wants_trail_downloads,
        'indexing' in $kinds and case
            when indexing_status = 'pending' and tries is null then 'indexing' in $open
            when indexing_status = 'pending'
                then ('indexing' in $open or 'indexing' in due) and 'indexing' not in waiting
            when indexing_status = 'gone' then coalesce('indexing' in due, false)
            else false
        end as wants_indexing
    from candidates
)

select
    session_key,
    place_time,
    revision,
    row_hash,
    tries,
    wants_channels,
    wants_events,
    wants_alerts,
    wants_trail_downloads,
    wants_indexing
from wanted
where wants_channels or wants_events or wants_alerts or wants_trail_downloads or wants_indexing
order by place_time desc, session_key
limit $size
