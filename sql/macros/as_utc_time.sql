-- When a wall clock in the zone first shows a time of day (UTC): one timestamp per local time.
-- Where clocks go back over midnight it comes twice. Where they skip it, it is the moment of the skip.
create or replace macro as_utc_time(local_time, time_zone) as
case
    when time_zone in ('UTC', 'Etc/UTC') then local_time
    when
        timezone(time_zone, timezone(time_zone, local_time) - interval 1 hour) = local_time
        then timezone('UTC', timezone(time_zone, local_time) - interval 1 hour)
    else timezone('UTC', timezone(time_zone, local_time))
end
