-- What a part found of the policies that changed, beside the newest version in the copy: one row per policy.
-- Without a body it is gone.
with newest_versions as (
    select
        appliance,
        protocol,
        kind,
        policy_key,
        max(valid_from) as newest_from,
        bool_or(valid_to is null) as is_valid
    from policies
    group by appliance, protocol, kind, policy_key
)

select
    found.* exclude (filename, file_row_number),  -- noqa: AM04
    newest_versions.newest_from,
    coalesce(newest_versions.is_valid, false) as was_valid
from part_policies as found
left join newest_versions using (appliance, protocol, kind, policy_key)
qualify row_number() over (
    partition by found.appliance, found.protocol, found.kind, found.policy_key
    order by found.extracted_at desc
) = 1
