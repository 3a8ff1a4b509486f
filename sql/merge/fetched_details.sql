-- What became of asking for details, where the session is still as it was when they were asked for: one row per session
-- and kind.
select
    asked.appliance,
    asked.session_key,
    asked.kind,
    asked.status,
    asked.error,
    asked.extracted_at,
    asked.run_id
from part_detail_fetches as asked
inner join sessions
    on asked.appliance = sessions.appliance
    and asked.session_key = sessions.session_key
where
    asked.status = 'replayed'
    or (asked.row_hash = sessions.row_hash and asked.extracted_at >= sessions.extracted_at)
qualify row_number() over (
    partition by asked.appliance, asked.session_key, asked.kind
    order by asked.extracted_at desc
) = 1
