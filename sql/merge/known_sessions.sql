-- What the copy knows of the sessions of a window: one row per session.
select
    session_key,
    revision,
    row_hash,
    missing_since is not null as is_missing
from sessions
where
    appliance = $appliance
    and start_time >= $window_start::timestamp
    and ($window_end::timestamp is null or start_time < $window_end::timestamp)
