-- Sessions whose details are to be asked for, the newest first: one row per session.
-- What was asked for in vain waits: for the next run, then for 2, 4 and 7 nights; half a day less, since no night is
-- the same to the minute. A time in the future is of a clock that was wrong. Without $now, nothing waits.
-- A session whose start is not known comes last, as if it were of the year 1.
with wanted_kinds as (
    select unnest($kinds::varchar[]) as kind
),

fetches as (
    select
        session_key,
        kind,
        tries,
        (
            status in ('failed', 'absent', 'vanished')
            and (
                $now::timestamp is null
                or tries <= 1
                or extracted_at > $now::timestamp
                or extracted_at + to_hours((24 * least(2 ** (tries - 1), 7))::integer - 12) <= $now::timestamp
            )
        ) as is_due
    from detail_fetches
    where appliance = $appliance
),

failures as (
    select
        session_key,
        map(list(kind), list(tries)) as tries
    from fetches
    where tries is not null
    group by session_key
),

wanted as (
    select
        sessions.session_key,
        coalesce(sessions.start_time, timestamp '0001-01-01') as place_time,
        sessions.revision,
        sessions.row_hash,
        wanted_kinds.kind
    from sessions
    cross join wanted_kinds
    left join fetches
        on sessions.session_key = fetches.session_key
        and wanted_kinds.kind = fetches.kind
    where
        sessions.appliance = $appliance
        and sessions.missing_since is null
        and ($range_start::timestamp is null or sessions.start_time >= $range_start::timestamp)
        and ($range_end::timestamp is null or sessions.start_time < $range_end::timestamp)
        and coalesce(
            fetches.is_due,
            -- Of these kinds there is nothing, by what the appliance says of the recording.
            not coalesce(
                list_contains($ruled_out::varchar[], wanted_kinds.kind || ' ' || sessions.recording_index_status), false
            )
        )
),

queue as (
    select
        session_key,
        place_time,
        revision,
        row_hash,
        list(kind order by list_position($kinds::varchar[], kind)) as kinds
    from wanted
    group by all
)

select
    row_number() over (order by queue.place_time desc, queue.session_key) as place,
    queue.session_key,
    queue.revision,
    queue.row_hash,
    queue.kinds,
    failures.tries
from queue
left join failures on queue.session_key = failures.session_key
order by place
