-- Moments between which the copy has $size sessions each: one row per moment, the oldest first.
with placed_sessions as (
    select
        start_time,
        row_number() over (order by start_time) as place
    from sessions
    where appliance = $appliance and missing_since is null and start_time is not null
)

select distinct date_trunc('milliseconds', start_time) as edge
from placed_sessions
where place % $size = 0
order by edge
