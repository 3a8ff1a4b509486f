-- fatal: offending rows are versions of a policy that begin before the one before them ends
with versions as (
    select
        appliance,
        protocol,
        kind,
        policy_key,
        valid_from,
        valid_to,
        row_number() over by_time as place,
        lag(valid_to) over by_time as former_valid_to
    from policies
    window by_time as (
        partition by appliance, protocol, kind, policy_key
        order by valid_from
    )
)

select
    appliance,
    protocol,
    kind,
    policy_key,
    valid_from
from versions
where
    valid_to <= valid_from
    or (place > 1 and coalesce(former_valid_to > valid_from, true))
