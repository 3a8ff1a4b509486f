-- What became of asking for details, and in how many runs it was in vain: one row per session and kind.
-- Only where the session is still as it was when they were asked for.
select
    asked.appliance,
    asked.session_key,
    asked.kind,
    asked.status,
    asked.error,
    (
        case
            when asked.status in ('failed', 'absent', 'vanished')
                then coalesce(known.tries, 0) + case when known.run_id = asked.run_id then 0 else 1 end
        end
    )::bigint as tries,
    asked.revision,
    null::varchar as row_hash,
    asked.extracted_at,
    asked.run_id
from part_detail_fetches as asked
inner join sessions
    on asked.appliance = sessions.appliance
    and asked.session_key = sessions.session_key
left join detail_fetches as known
    on asked.appliance = known.appliance
    and asked.session_key = known.session_key
    and asked.kind = known.kind
where
    (
        asked.status = 'replayed'
        or (asked.row_hash = sessions.row_hash and asked.extracted_at >= sessions.extracted_at)
    )
    and coalesce(asked.extracted_at >= known.extracted_at, true)
qualify row_number() over (
    partition by asked.appliance, asked.session_key, asked.kind
    order by asked.extracted_at desc
) = 1
