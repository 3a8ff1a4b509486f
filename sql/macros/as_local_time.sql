-- What a wall clock in the zone shows at a moment of UTC: one timestamp per moment.
create or replace macro as_local_time(moment, time_zone) as
case
    when time_zone in ('UTC', 'Etc/UTC') then moment
    else timezone(time_zone, make_timestamptz(epoch_us(moment)))
end
