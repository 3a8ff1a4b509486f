-- What a wall clock in the zone shows at a moment of UTC: one timestamp per moment.
create or replace macro as_local_time(moment, time_zone) as
if(time_zone in ('UTC', 'Etc/UTC'), moment, timezone(time_zone, make_timestamptz(epoch_us(moment))))
