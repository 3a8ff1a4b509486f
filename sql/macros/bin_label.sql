-- What the appliance calls the bin that starts then: one text per moment of UTC. ISO 8601 with milliseconds, Z for UTC,
-- the zone's offset otherwise.
create or replace macro bin_label(moment, time_zone) as
strftime(as_local_time(moment, time_zone), '%Y-%m-%dT%H:%M:%S.%g')
|| case
    when time_zone in ('UTC', 'Etc/UTC') then 'Z'
    when as_local_time(moment, time_zone) < moment
        then '-' || strftime(make_timestamp(epoch_us(moment) - epoch_us(as_local_time(moment, time_zone))), '%H:%M')
    else '+' || strftime(make_timestamp(epoch_us(as_local_time(moment, time_zone)) - epoch_us(moment)), '%H:%M')
end
