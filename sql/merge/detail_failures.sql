-- What became of asking, and in how many runs it was in vain: one row per session and kind that was asked for.
select
    asked.appliance,
    asked.session_key,
    asked.kind,
    asked.status,
    asked.error,
    (coalesce(known.tries, 0) + case when known.run_id = asked.run_id then 0 else 1 end)::bigint as tries,
    asked.extracted_at,
    asked.run_id
from fetched_details as asked
left join detail_failures as known
    on asked.appliance = known.appliance
    and asked.session_key = known.session_key
    and asked.kind = known.kind
