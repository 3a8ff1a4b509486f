-- Values that fitted no column and are kept in extra, as the runs of the last 28 days counted them: one row per field.
select
    found.key::varchar as field,
    sum(found.value::bigint)::bigint as misfits
from sync_runs
cross join json_each(sync_runs.misfits) as found
where
    sync_runs.appliance = $appliance
    and sync_runs.started_at >= (current_timestamp at time zone 'UTC')::timestamp - interval 28 day
group by found.key
