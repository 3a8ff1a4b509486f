-- What the copy knows of the sessions of a window, and of those whose start nobody knows: one row per session.
select
    session_key,
    revision,
    row_hash,
    missing_since is not null as is_missing,
    start_time is not null as is_placed
from sessions
where
    appliance = $appliance
    and coalesce(start_time >= $window_start::timestamp, true)
    and coalesce(start_time < $window_end::timestamp, true)
