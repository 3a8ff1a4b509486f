-- The sessions of the copy that a window did not hold any more, and since when: one row per session.
-- A session that was found elsewhere meanwhile, with another start_time or fetched later, is not gone.
select
    gone.appliance,
    gone.session_key,
    min(gone.extracted_at) as missing_since
from part_missing_sessions as gone
inner join sessions
    on gone.appliance = sessions.appliance
    and gone.session_key = sessions.session_key
where
    sessions.missing_since is null
    and sessions.extracted_at < gone.extracted_at
    and sessions.start_time >= gone.window_start
    and (gone.window_end is null or sessions.start_time < gone.window_end)
group by gone.appliance, gone.session_key
