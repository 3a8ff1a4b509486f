-- How fast the copy grows: one row per copy, over the last 28 days. Not counted are the first sync of each appliance,
-- which brings what had piled up, and backfills: neither comes every night.
with syncs as (
    select
        started_at,
        sessions_new,
        row_number() over (partition by appliance order by started_at) as place
    from sync_runs
    where kind = 'sync' and status = 'done'
),

nightly as (
    select
        min(started_at) as since,
        coalesce(sum(sessions_new) filter (where place > 1), 0) as sessions_new
    from syncs
    where started_at >= (current_timestamp at time zone 'UTC')::timestamp - interval 28 day
),

kept as (
    select count(*) as sessions
    from sessions
)

select
    kept.sessions::bigint as sessions,
    nightly.sessions_new::bigint as sessions_new,
    ((epoch((current_timestamp at time zone 'UTC')::timestamp) - epoch(nightly.since)) / 86400)::double as days
from kept
cross join nightly
