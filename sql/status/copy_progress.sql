-- How far the copy of one appliance is: one row per appliance, the one that is asked for.
select
    (
        select max(finished_at)
        from sync_runs
        where appliance = $appliance and status = 'done' and kind = 'sync' and started_at <= $now
    ),
    (
        select count(*) from sessions
        where appliance = $appliance
    ),
    (
        select count(*) from quarantine
        where appliance = $appliance
    )
