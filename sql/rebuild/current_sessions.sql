-- The version of each session that won, and what became of its details meanwhile: one row per session.
-- The newest revision wins, and of one revision, or where there is none, what was fetched last.
with versions as (
    select
        appliance,
        session_key,
        revision,
        row_hash,
        start_time,
        events_status,
        extracted_at,
        run_id,
        file_index,
        file_row_number,
        row_number() over newest as place,
        first_value(revision) over newest as newest_revision,
        first_value(row_hash) over newest as newest_hash,
        row_number() over (
            partition by appliance, session_key, revision
            order by extracted_at, run_id
        ) as place_in_revision
    from lake_sessions
    window newest as (
        partition by appliance, session_key
        order by revision desc nulls last, extracted_at desc, run_id desc
    )
),

compared as (
    select
        appliance,
        session_key,
        revision,
        row_hash,
        start_time,
        extracted_at,
        run_id,
        file_index,
        file_row_number,
        place,
        -- When the session last said something else.
        max(case when row_hash is distinct from newest_hash then extracted_at end) over session_versions
            as other_content_at,
        -- When a new revision last began without events: those of older ones went then.
        max(
            case
                when events_status = 'not_indexed' and (place_in_revision = 1 or revision is null) then extracted_at
            end
        ) over session_versions as events_gone_at,
        -- A revision that once could have events is asked for them, whatever it says later.
        bool_or(revision = newest_revision and events_status <> 'not_indexed') over session_versions as has_events
    from versions
    window session_versions as (partition by appliance, session_key)
)

select
    appliance,
    session_key,
    revision,
    row_hash,
    start_time,
    extracted_at,
    run_id,
    file_index,
    file_row_number,
    other_content_at,
    events_gone_at,
    coalesce(has_events, false) as has_events
from compared
where place = 1
