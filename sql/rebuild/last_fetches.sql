-- The last fetches of details: one row per session of the copy and kind.
-- status is NULL where the session has changed since; rows_at says which fetch the rows of the copy are of.
with fetches as (
    select
        appliance,
        session_key,
        kind,
        status,
        revision,
        row_hash,
        extracted_at,
        row_number() over (
            partition by appliance, session_key, kind
            order by extracted_at desc, run_id desc
        ) as place,
        max(case when status = 'fetched' then extracted_at end) over (
            partition by appliance, session_key, kind
        ) as fetched_at,
        max(case when status in ('fetched', 'gone') then extracted_at end) over (
            partition by appliance, session_key, kind
        ) as settled_at
    from lake_detail_fetches
)

select
    fetches.appliance,
    fetches.session_key,
    fetches.kind,
    fetches.fetched_at,
    fetches.settled_at,
    (fetches.status in ('failed', 'absent', 'vanished')) as is_unsettled,
    case
        when
            coalesce(current_sessions.anew_at < fetches.extracted_at, true)
            and (
                (
                    fetches.revision = current_sessions.revision
                    and coalesce(current_sessions.other_revision_at < fetches.extracted_at, true)
                )
                or (
                    (fetches.revision is null or current_sessions.revision is null)
                    and fetches.row_hash = current_sessions.row_hash
                    and coalesce(current_sessions.other_content_at < fetches.extracted_at, true)
                )
            )
            then nullif(nullif(replace(fetches.status, 'vanished', 'gone'), 'failed'), 'absent')
    end as status,
    case
        when fetches.kind <> 'events' or coalesce(current_sessions.events_gone_at < fetches.fetched_at, true)
            then fetches.fetched_at
    end as rows_at
from fetches
inner join current_sessions
    on fetches.appliance = current_sessions.appliance
    and fetches.session_key = current_sessions.session_key
where fetches.place = 1
