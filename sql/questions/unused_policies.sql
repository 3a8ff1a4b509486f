-- Which connection policies nobody has used for 90 days, or ever: one row per policy.
-- The 90 days end with the last complete sync of the appliance, so that an old copy answers as of its own time; without
-- one, the sessions of an appliance are not all known, and its policies are left out. So are those that its
-- configuration has no more; is_configured is NULL where that is not known. No use is known from before known_since;
-- a policy that the configuration has only had since configured_since may simply be new.
with last_syncs as (
    select
        appliance,
        max(finished_at) as synced_at
    from sync_runs
    where kind = 'sync' and status = 'done'
    group by appliance
),

first_sessions as (
    select
        appliance,
        min(started_at) as known_since
    from mart.fct_sessions
    group by appliance
),

configurations as (
    select
        appliance,
        policy_key,
        min(valid_from) as configured_since
    from policies
    where kind = 'connections'
    group by appliance, policy_key
)

select
    p.appliance::varchar as appliance,
    p.connection_policy::varchar as connection_policy,
    p.connection_policy_id::varchar as connection_policy_id,
    p.protocol::varchar as protocol,
    p.is_configured::boolean as is_configured,
    c.configured_since::timestamp as configured_since,
    p.session_count::bigint as session_count,
    p.last_seen_at::timestamp as last_used_at,
    date_sub('day', p.last_seen_at, l.synced_at)::bigint as days_unused,
    f.known_since::timestamp as known_since
from mart.dim_connection_policies as p
inner join last_syncs as l on p.appliance = l.appliance
left join first_sessions as f on p.appliance = f.appliance
left join configurations as c on p.appliance = c.appliance and p.connection_policy_id = c.policy_key
where
    coalesce(p.is_configured, true)
    and (p.last_seen_at is null or p.last_seen_at < l.synced_at - interval 90 days)
order by p.last_seen_at nulls first, p.appliance, p.connection_policy_key
