-- How long the bins of a histogram are in microseconds, null where the calendar or the clock changes it: one number per
-- bin size. Seconds, minutes and hours are always as long; days and weeks are in UTC, where clocks never change.
create or replace macro bin_length(bin_size, time_zone) as
case
    when bin_size = 'second' then 1000000
    when bin_size = 'minute' then 60000000
    when bin_size = 'hour' then 3600000000
    when bin_size = 'day' and time_zone in ('UTC', 'Etc/UTC') then 86400000000
    when bin_size = 'week' and time_zone in ('UTC', 'Etc/UTC') then 604800000000
end
