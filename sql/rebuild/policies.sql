-- The policies with their history: one row per version of a policy.
-- In the lake a row without a body says that the policy had gone. Of equal neighbours the later one was merged: the
-- earlier is that of a killed run, or the same once more.
with neighbours as (
    select
        *,
        lead(body) over by_time as next_body,
        lead(extracted_at) over by_time as next_at
    from lake_policies
    window by_time as (
        partition by appliance, protocol, kind, policy_key
        order by extracted_at, run_id
    )
),

changes as (
    select
        *,
        lead(extracted_at) over by_time as changed_at
    from neighbours
    where next_at is null or body is distinct from next_body
    window by_time as (
        partition by appliance, protocol, kind, policy_key
        order by extracted_at, run_id
    )
)

select
    appliance,
    protocol,
    kind,
    policy_key,
    name,
    body,
    retention_days,
    valid_from,
    changed_at as valid_to,
    extracted_at,
    run_id
from changes
where body is not null
