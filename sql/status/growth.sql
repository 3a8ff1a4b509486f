-- By which part of itself the copy grows in a day: one row per copy, over the last 28 days; NULL before there is a day
-- to tell by. Not counted are the first sync of each appliance, which brings what had piled up, and backfills: neither
-- comes every night.
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
        (epoch((current_timestamp at time zone 'UTC')::timestamp) - epoch(min(started_at))) / 86400 as days,
        coalesce(sum(sessions_new) filter (where place > 1), 0) as sessions_new
    from syncs
    where started_at >= (current_timestamp at time zone 'UTC')::timestamp - interval 28 day
),

kept as (
    select count(*) as sessions
    from sessions
)

select (nightly.sessions_new / nullif(kept.sessions, 0) / nightly.days)::double as growth
from kept
left join nightly on nightly.days >= 1
