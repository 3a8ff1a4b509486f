-- How many sessions are there, and how many have gone since the last complete sync and need not have: one row per call.
-- Expected to go is what was older than the appliance keeps it: by its options, a day less since its days may
-- begin at any hour; or than the oldest session that it had then, which says the same where nobody may read those. Ages
-- count to now, or to the newest session that it has.
with last_syncs as (
    select
        started_at,
        watermark,
        ordered_at
    from sync_runs
    where
        appliance = $appliance
        and status = 'done'
        and kind = 'sync'
        and started_at <= $now::timestamp
    order by started_at desc
    limit 1
),

judged_sessions as (
    select
        sessions.start_time,
        lower(sessions.protocol) as protocol,
        sessions.missing_since is null as is_present,
        coalesce(
            sessions.missing_since > coalesce((select last_syncs.ordered_at from last_syncs), timestamp '1970-01-01'),
            false
        ) as is_gone
    from sessions
    where sessions.appliance = $appliance
),

kept_ages as (
    select
        (select last_syncs.started_at from last_syncs) - min(start_time) as by_clock,
        (select last_syncs.watermark from last_syncs) - min(start_time) as by_sessions,
        max(least(start_time, $now::timestamp)) filter (where is_present) as newest_start_time
    from judged_sessions
    where is_present or is_gone
),

options as (
    select
        protocol,
        min(retention_days) as retention_days
    from policies
    where appliance = $appliance and kind = 'options' and valid_to is null
    group by protocol
)

select
    count(*) filter (where judged_sessions.is_present) as present,
    count(*) filter (
        where
        judged_sessions.is_gone
        and coalesce($now::timestamp - judged_sessions.start_time <= kept_ages.by_clock, true)
        and coalesce(kept_ages.newest_start_time - judged_sessions.start_time <= kept_ages.by_sessions, true)
        and coalesce(
            $now::timestamp - judged_sessions.start_time < to_days((options.retention_days - 1)::integer), true
        )
    ) as gone
from judged_sessions
cross join kept_ages
left join options on judged_sessions.protocol = options.protocol
