-- What could not be read, is not known yet, and was not read or fetched anew later: one row per unreadable row.
select incoming.* exclude (filename, file_row_number)  -- noqa: AM04
from (
    select *
    from part_quarantine
    where reason is not null
    qualify row_number() over (partition by appliance, table_name, row_hash order by extracted_at) = 1
) as incoming
anti join quarantine using (appliance, table_name, row_hash)
anti join sessions
    on incoming.table_name = 'sessions'
    and incoming.appliance = sessions.appliance
    and incoming.session_key = sessions.session_key
    and incoming.extracted_at <= sessions.extracted_at
anti join detail_fetches as fetched
    on incoming.table_name = fetched.kind
    and incoming.appliance = fetched.appliance
    and incoming.session_key = fetched.session_key
    and incoming.extracted_at < fetched.extracted_at
where true
