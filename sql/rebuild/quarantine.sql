-- What could not be read, and has not been read since: one row per unreadable row.
-- A row without a reason says that this one was read at last, see warehouse/quarantine.py.
with read_again as (
    select
        appliance,
        table_name,
        row_hash,
        max(extracted_at) as read_at
    from lake_quarantine
    where reason is null
    group by appliance, table_name, row_hash
)

select unreadable.*  -- noqa: AM04
from lake_quarantine as unreadable
left join read_again
    on unreadable.appliance = read_again.appliance
    and unreadable.table_name = read_again.table_name
    and unreadable.row_hash = read_again.row_hash
left join current_sessions
    on unreadable.table_name = 'sessions'
    and unreadable.appliance = current_sessions.appliance
    and unreadable.session_key = current_sessions.session_key
left join last_fetches
    on unreadable.table_name = last_fetches.kind
    and unreadable.appliance = last_fetches.appliance
    and unreadable.session_key = last_fetches.session_key
where
    unreadable.reason is not null
    and coalesce(read_again.read_at < unreadable.extracted_at, true)
    and coalesce(current_sessions.extracted_at <= unreadable.extracted_at, true)
    and coalesce(last_fetches.fetched_at <= unreadable.extracted_at, true)
qualify row_number() over (
    partition by unreadable.appliance, unreadable.table_name, unreadable.row_hash
    order by unreadable.extracted_at, unreadable.run_id
) = 1
