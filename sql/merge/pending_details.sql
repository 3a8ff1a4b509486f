-- Sessions whose details are not fetched yet, the newest first, after a place in that order: one row per session.
select
    session_key,
    start_time,
    row_hash,
    'channels' in $kinds and channels_status = 'pending' as wants_channels,
    'events' in $kinds and events_status = 'pending' as wants_events,
    'alerts' in $kinds and alerts_status = 'pending' as wants_alerts
from sessions
where
    appliance = $appliance
    and missing_since is null
    and (
        ('channels' in $kinds and channels_status = 'pending')
        or ('events' in $kinds and events_status = 'pending')
        or ('alerts' in $kinds and alerts_status = 'pending')
    )
    and (
        $after_time::timestamp is null
        or start_time < $after_time::timestamp
        or (start_time = $after_time::timestamp and session_key > $after_key)
    )
order by start_time desc, session_key
limit $size
