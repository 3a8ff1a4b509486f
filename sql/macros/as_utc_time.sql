-- When a wall clock in the zone first shows a time (UTC): one timestamp per local time.
-- Where clocks go back over that time it comes twice. Where they skip it, it is the moment of the skip.
create or replace macro as_utc_time(local_time, time_zone) as
case
    when time_zone in ('UTC', 'Etc/UTC') then local_time
    when
        as_local_time(make_timestamp(epoch_us(timezone(time_zone, local_time)) - 3600000000), time_zone) = local_time
        then make_timestamp(epoch_us(timezone(time_zone, local_time)) - 3600000000)
    else make_timestamp(epoch_us(timezone(time_zone, local_time)))
end
