-- The bin of a histogram that a moment of UTC is in, from 1, or below 1 before the first: one number per moment.
-- first_bin is when the first bin starts in UTC, first_local what the wall clock shows then.
create or replace macro bin_number(moment, bin_size, time_zone, first_bin, first_local) as
case
    -- Division rounds towards 0, so both count from one bin before the first.
    when bin_length(bin_size, time_zone) is not null
        then
            (epoch_us(moment) - (epoch_us(first_bin) - bin_length(bin_size, time_zone)))
            // bin_length(bin_size, time_zone)
    when bin_size = 'week'
        then date_diff('day', first_local - interval 7 days, as_local_time(moment, time_zone)) // 7
    when bin_size = 'day' then date_diff('day', first_local, as_local_time(moment, time_zone)) + 1
    when bin_size = 'month' then date_diff('month', first_local, as_local_time(moment, time_zone)) + 1
    else date_diff('year', first_local, as_local_time(moment, time_zone)) + 1
end
