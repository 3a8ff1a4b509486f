-- How far the recordings are indexed, and so searchable: one row per index status.
select
    coalesce(sessions.recording_index_status, 'no recording')::varchar as index_status,
    count(*)::bigint as session_count,
    count(*) filter (where sessions.events_status = 'fetched')::bigint as with_events_fetched,
    min(sessions.start_time)::timestamp as oldest_start_time,
    max(sessions.start_time)::timestamp as newest_start_time
from sessions
group by index_status
order by session_count desc, index_status
