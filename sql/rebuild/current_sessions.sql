-- The version of each session that won, and what became of its details meanwhile: one row per session.
-- What the source said last wins; of one run, the newest revision, and of one revision, or where there is none, what
-- was fetched last.
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
        lag(extracted_at) over by_time as former_extracted_at,
        lag(start_time) over by_time as former_start_time,
        lag(row_hash) over by_time as former_hash,
        (lag(revision) over by_time is distinct from revision) as is_other_revision,
        max(extracted_at) over (partition by appliance, session_key, run_id) as run_extracted_at
    from lake_sessions
    window by_time as (
        partition by appliance, session_key
        order by extracted_at, run_id
    )
),

returns as (
    select distinct
        versions.file_index,
        versions.file_row_number
    from versions
    inner join lake_missing_sessions as gone
        on versions.appliance = gone.appliance
        and versions.session_key = gone.session_key
        and versions.former_extracted_at < gone.extracted_at
        and versions.extracted_at > gone.extracted_at
    where
        versions.former_start_time >= gone.window_start
        and (gone.window_end is null or versions.former_start_time < gone.window_end)
),

ranked as (
    select
        versions.*,
        (returns.file_index is not null and versions.row_hash is distinct from versions.former_hash) as is_anew
    from versions
    left join returns
        on versions.file_index = returns.file_index
        and versions.file_row_number = returns.file_row_number
),

placed as (
    select
        *,
        row_number() over newest as place,
        first_value(revision) over newest as newest_revision,
        first_value(row_hash) over newest as newest_hash,
        -- When the session last came back with other contents: all details are asked for anew then.
        max(case when is_anew then extracted_at end) over (partition by appliance, session_key) as anew_at
    from ranked
    window newest as (
        partition by appliance, session_key
        order by
            run_extracted_at desc,
            run_id desc,
            revision desc nulls last,
            extracted_at desc
    )
),

compared as (
    select
        *,
        -- When the session last said something else.
        max(case when row_hash is distinct from newest_hash then extracted_at end) over session_versions
            as other_content_at,
        -- When the session last had another revision: what was fetched before is of another time.
        max(case when revision is distinct from newest_revision then extracted_at end) over session_versions
            as other_revision_at,
        -- When a new revision last began without events: those of older ones went then.
        max(
            case
                when events_status = 'not_indexed' and (is_other_revision or revision is null or is_anew)
                    then extracted_at
            end
        ) over session_versions as events_gone_at
    from placed
    window session_versions as (partition by appliance, session_key)
),

judged as (
    select
        *,
        -- A revision that once could have events is asked for them, whatever it says later.
        bool_or(
            revision = newest_revision
            and events_status <> 'not_indexed'
            and coalesce(extracted_at >= anew_at, true)
            and coalesce(extracted_at > other_revision_at, true)
        ) over (partition by appliance, session_key) as has_events
    from compared
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
    other_revision_at,
    anew_at,
    events_gone_at,
    coalesce(has_events, false) as has_events
from judged
where place = 1
