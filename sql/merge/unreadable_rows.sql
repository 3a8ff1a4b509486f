-- What could not be read and is not known yet: one row per unreadable row, as it first came.
select incoming.* exclude (filename, file_row_number)  -- noqa: AM04
from (
    select *
    from part_quarantine
    where reason is not null
    qualify row_number() over (partition by appliance, table_name, row_hash order by extracted_at) = 1
) as incoming
anti join quarantine using (appliance, table_name, row_hash)
where true
