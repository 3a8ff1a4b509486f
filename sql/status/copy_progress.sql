-- How far the copy of one appliance is: one row per appliance, the one that is asked for.
select
    (
        select max(finished_at)
        from sync_runs
        where appliance = $appliance and status = 'done' and kind = 'sync' and started_at <= $now
    )::timestamp as succeeded_at,
    (
        select count(*) from sessions
        where appliance = $appliance
    )::bigint as session_count,
    (
        select count(*) from quarantine
        where appliance = $appliance
    )::bigint as quarantined_count
