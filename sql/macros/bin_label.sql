-- What the appliance calls the bin that starts then: one text per moment of UTC. ISO 8601 with milliseconds, Z for UTC,
-- the zone's offset otherwise.
create or replace macro bin_label(moment, time_zone) as
strftime(as_local_time(moment, time_zone), '%Y-%m-%dT%H:%M:%S.%g')
|| if(
    time_zone in ('UTC', 'Etc/UTC'),
    'Z',
    if(as_local_time(moment, time_zone) < moment, '-', '+')
    || strftime(make_timestamp(abs(epoch_us(as_local_time(moment, time_zone)) - epoch_us(moment))), '%H:%M')
)
