-- How long the bins of a histogram are, in microseconds: one number per bin size, null where they differ in length.
-- Seconds, minutes and hours never do. Days and weeks do not in UTC, where clocks never change.
create or replace macro bin_length(bin_size, time_zone) as
case
    when bin_size = 'second' then 1000000
    when bin_size = 'minute' then 60000000
    when bin_size = 'hour' then 3600000000
    when bin_size = 'day' and time_zone in ('UTC', 'Etc/UTC') then 86400000000
    when bin_size = 'week' and time_zone in ('UTC', 'Etc/UTC') then 604800000000
end
