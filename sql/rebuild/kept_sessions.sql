-- What the journals say of the version that won, and where it stands in the lake: one row per session.
with marks as (
    select
        gone.appliance,
        gone.session_key,
        min(gone.extracted_at) as missing_since
    from lake_missing_sessions as gone
    inner join current_sessions
        on gone.appliance = current_sessions.appliance
        and gone.session_key = current_sessions.session_key
    where
        current_sessions.extracted_at < gone.extracted_at
        and current_sessions.start_time >= gone.window_start
        and (gone.window_end is null or current_sessions.start_time < gone.window_end)
    group by gone.appliance, gone.session_key
),

statuses as (
    select
        appliance,
        session_key,
        max(status) filter (where kind = 'channels') as channels_status,
        max(status) filter (where kind = 'events') as events_status,
        max(status) filter (where kind = 'alerts') as alerts_status,
        max(status) filter (where kind = 'trail_downloads') as trail_downloads_status,
        max(status) filter (where kind = 'indexing') as indexing_status
    from last_fetches
    where status is not null
    group by appliance, session_key
)

select
    current_sessions.file_index,
    current_sessions.file_row_number,
    current_sessions.has_events,
    marks.missing_since,
    statuses.channels_status,
    statuses.events_status,
    statuses.alerts_status,
    statuses.trail_downloads_status,
    statuses.indexing_status
from current_sessions
left join marks
    on current_sessions.appliance = marks.appliance
    and current_sessions.session_key = marks.session_key
left join statuses
    on current_sessions.appliance = statuses.appliance
    and current_sessions.session_key = statuses.session_key
