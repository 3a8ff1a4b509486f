-- The appliances that the copy has anything of: one row per appliance.
with names as (
    select appliance from sync_runs
    union
    select appliance from sessions
),

counted_sessions as (
    select
        appliance,
        count(*)::bigint as sessions,
        min(start_time)::timestamp as first_start,
        max(start_time)::timestamp as last_start
    from sessions
    group by appliance
),

last_syncs as (
    select
        appliance,
        max(finished_at)::timestamp as last_complete_sync
    from sync_runs
    where status = 'done' and kind = 'sync'
    group by appliance
)

select
    names.appliance,
    coalesce(counted_sessions.sessions, 0)::bigint as sessions,
    counted_sessions.first_start,
    counted_sessions.last_start,
    last_syncs.last_complete_sync,
    appliances.address
from names
left join counted_sessions on names.appliance = counted_sessions.appliance
left join last_syncs on names.appliance = last_syncs.appliance
left join appliances on names.appliance = appliances.appliance
order by names.appliance
