-- Sessions that can still change by themselves, active or not finally indexed: one row per session, by its place
-- among all sessions by start_time.
with placed_sessions as (
    select
        start_time,
        row_number() over (order by start_time) as place,
        coalesce(active, false)
        or coalesce(
            recording_index_status not in (select unnest($final))
            and (recording_index_status <> 'NOT_INDEXED' or start_time > $too_old),
            false
        ) as is_open
    from sessions
    where appliance = $appliance and missing_since is null and start_time is not null
)

select
    place,
    start_time
from placed_sessions
where is_open
order by place
