-- The details of one kind, those of the last fetch: one row per channel, event, alert or the like.
-- What was read out of quarantine later says when it was fetched, too.
with kept_fetches as (
    select
        appliance,
        session_key,
        rows_at
    from last_fetches
    where kind = $kind and rows_at is not null
)

select found.*  -- noqa: AM04
from lake_details as found
semi join kept_fetches
    on found.appliance = kept_fetches.appliance
    and found.session_key = kept_fetches.session_key
    and found.extracted_at = kept_fetches.rows_at
