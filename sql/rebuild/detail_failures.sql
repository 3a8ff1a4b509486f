-- What was last asked for in vain: one row per session and kind of details.
-- Counted are the runs since it was last settled, or since the session changed.
with failures as (
    select
        tried.appliance,
        tried.session_key,
        tried.kind,
        arg_max(tried.status, (tried.extracted_at, tried.run_id)) as status,
        arg_max(tried.error, (tried.extracted_at, tried.run_id)) as error,
        count(distinct tried.run_id)::bigint as tries,
        max(tried.extracted_at) as extracted_at,
        arg_max(tried.run_id, (tried.extracted_at, tried.run_id)) as run_id
    from lake_detail_fetches as tried
    inner join last_fetches as settled
        on tried.appliance = settled.appliance
        and tried.session_key = settled.session_key
        and tried.kind = settled.kind
    inner join current_sessions
        on tried.appliance = current_sessions.appliance
        and tried.session_key = current_sessions.session_key
    where
        tried.status in ('failed', 'absent', 'vanished')
        and settled.is_unsettled
        and coalesce(settled.settled_at < tried.extracted_at, true)
        and coalesce(current_sessions.anew_at < tried.extracted_at, true)
        and (
            (
                tried.revision = current_sessions.revision
                and coalesce(current_sessions.other_revision_at < tried.extracted_at, true)
            )
            or (
                (tried.revision is null or current_sessions.revision is null)
                and tried.row_hash = current_sessions.row_hash
                and coalesce(current_sessions.other_content_at < tried.extracted_at, true)
            )
        )
    group by tried.appliance, tried.session_key, tried.kind
)

select
    appliance,
    session_key,
    kind,
    status,
    error,
    tries,
    extracted_at,
    run_id
from failures
