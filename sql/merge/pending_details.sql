-- Sessions whose details are not fetched yet, the newest first, after a place in that order: one row per session.
-- A session whose start is not known comes last, as if it were of the year 1.
select
    session_key,
    coalesce(start_time, timestamp '0001-01-01') as place_time,
    revision,
    row_hash,
    'channels' in $kinds and channels_status = 'pending' as wants_channels,
    'events' in $kinds and events_status = 'pending' as wants_events,
    'alerts' in $kinds and alerts_status = 'pending' as wants_alerts,
    'trail_downloads' in $kinds and trail_downloads_status = 'pending' as wants_trail_downloads,
    'indexing' in $kinds and indexing_status = 'pending' as wants_indexing
from sessions
where
    appliance = $appliance
    and missing_since is null
    and (
        ('channels' in $kinds and channels_status = 'pending')
        or ('events' in $kinds and events_status = 'pending')
        or ('alerts' in $kinds and alerts_status = 'pending')
        or ('trail_downloads' in $kinds and trail_downloads_status = 'pending')
        or ('indexing' in $kinds and indexing_status = 'pending')
    )
    and (
        $after_time::timestamp is null
        or place_time < $after_time::timestamp
        or (place_time = $after_time::timestamp and session_key > $after_key)
    )
    and ($range_start::timestamp is null or start_time >= $range_start::timestamp)
    and ($range_end::timestamp is null or start_time < $range_end::timestamp)
order by place_time desc, session_key
limit $size
