-- Which recordings wait to be indexed, and how far the others are: one row per index status.
-- Sessions that the appliance has no more wait for nothing, and are left out.
select
    coalesce(s.recording_index_status, 'no recording')::varchar as index_status,
    coalesce(s.recording_index_status in ('NOT_INDEXED', 'INDEXING_IN_PROGRESS'), false)::boolean as is_waiting,
    count(*)::bigint as session_count,
    count(*) filter (where d.events_status = 'fetched')::bigint as events_fetched_count,
    count(*) filter (where d.events_status = 'pending')::bigint as events_pending_count,
    min(s.start_time)::timestamp as oldest_start_time,
    max(s.start_time)::timestamp as newest_start_time
from sessions as s
inner join session_details as d on s.appliance = d.appliance and s.session_key = d.session_key
where s.missing_since is null
group by s.recording_index_status
order by is_waiting desc, session_count desc, index_status
