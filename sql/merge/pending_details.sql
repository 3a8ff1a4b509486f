-- Sessions whose details are to be asked for, the newest first, after a place in that order: one row per session.
-- What was asked for in vain waits: for the next run, then for 2, 4 and 7 nights; half a day less, since no night is
-- the same to the minute. A time in the future is of a clock that was wrong. Without $now, nothing waits.
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
        list(kind) filter (where is_due) as due,
        list(kind) filter (where not is_due) as waiting
    from tried
    group by session_key
),

candidates as (
    select
        sessions.session_key,
        sessions.start_time,
        sessions.revision,
        sessions.row_hash,
        sessions.channels_status,
        sessions.events_status,
        sessions.alerts_status,
        sessions.trail_downloads_status,
        sessions.indexing_status,
        failures.tries,
        list_concat($open::varchar[], failures.due) as open,
        coalesce(failures.due, []) as due,
        coalesce(failures.waiting, []) as waiting
    from sessions
    left join failures on sessions.session_key = failures.session_key
    where
        sessions.appliance = $appliance
        and sessions.missing_since is null
        and (
            $after_time::timestamp is null
            or sessions.start_time < $after_time::timestamp
            or (sessions.start_time = $after_time::timestamp and sessions.session_key > $after_key)
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
        start_time,
        revision,
        row_hash,
        tries,
        'channels' in $kinds and case channels_status
            when 'pending' then 'channels' in open and 'channels' not in waiting
            when 'gone' then 'channels' in due
            else false
        end as wants_channels,
        'events' in $kinds and case events_status
            when 'pending' then 'events' in open and 'events' not in waiting
            when 'gone' then 'events' in due
            else false
        end as wants_events,
        'alerts' in $kinds and case alerts_status
            when 'pending' then 'alerts' in open and 'alerts' not in waiting
            when 'gone' then 'alerts' in due
            else false
        end as wants_alerts,
        'trail_downloads' in $kinds and case trail_downloads_status
            when 'pending' then 'trail_downloads' in open and 'trail_downloads' not in waiting
            when 'gone' then 'trail_downloads' in due
            else false
        end as wants_trail_downloads,
        'indexing' in $kinds and case indexing_status
            when 'pending' then 'indexing' in open and 'indexing' not in waiting
            when 'gone' then 'indexing' in due
            else false
        end as wants_indexing
    from candidates
)

select
    session_key,
    coalesce(start_time, timestamp '0001-01-01') as place_time,
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
order by start_time desc, session_key
limit $size
