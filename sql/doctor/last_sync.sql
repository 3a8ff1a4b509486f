-- When the copy was last complete, and what the last sync found the appliance can do: one row per appliance asked for.
select
    (
        select max(finished_at)
        from sync_runs
        where appliance = $appliance and kind = 'sync' and status = 'done'
    )::timestamp as finished_at,
    (
        select has_snapshots
        from appliances
        where appliance = $appliance
    )::boolean as has_snapshots
