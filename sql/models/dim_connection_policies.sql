-- One row per connection policy of an appliance that a session names or its configuration has now.
with used_policies as (
    select
        appliance,
        coalesce(connection_policy_id, connection_policy) as connection_policy_key,
        max(connection_policy_id) as connection_policy_id,
        arg_max(connection_policy, row(started_at, session_key)) as connection_policy,
        arg_max(protocol, row(started_at, session_key)) as protocol,
        count(*) as session_count,
        count(distinct user_name) as user_count,
        count(distinct server_key) as server_count,
        min(started_at) as first_seen_at,
        max(started_at) as last_seen_at
    from mart.fct_sessions
    where coalesce(connection_policy_id, connection_policy) is not null
    group by all
),

configured_policies as (
    select
        appliance,
        policy_key,
        arg_max(name, row(valid_from, protocol)) as name,
        arg_max(upper(protocol), row(valid_from, protocol)) as protocol
    from policies
    where kind = 'connections' and valid_to is null
    group by appliance, policy_key
),

-- whose configuration a sync could ever read
known_appliances as (
    select distinct appliance
    from policies
    where kind = 'connections'
)

select
    coalesce(u.appliance, c.appliance)::varchar as appliance,
    coalesce(u.connection_policy_key, c.policy_key)::varchar as connection_policy_key,
    coalesce(u.connection_policy_id, c.policy_key)::varchar as connection_policy_id,
    coalesce(u.connection_policy, c.name)::varchar as connection_policy,
    coalesce(u.protocol, c.protocol)::varchar as protocol,
    coalesce(u.session_count, 0)::bigint as session_count,
    coalesce(u.user_count, 0)::bigint as user_count,
    coalesce(u.server_count, 0)::bigint as server_count,
    u.first_seen_at::timestamp as first_seen_at,
    u.last_seen_at::timestamp as last_seen_at,
    (case
        when c.policy_key is not null then true
        when u.connection_policy_id is not null and k.appliance is not null then false
    end)::boolean as is_configured
from used_policies as u
full outer join configured_policies as c on u.appliance = c.appliance and u.connection_policy_id = c.policy_key
left join known_appliances as k on u.appliance = k.appliance
