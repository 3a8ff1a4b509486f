-- The bin of a histogram that a moment of UTC is in, from 1, or below 1 before the first: one number per moment.
-- local_time is what a wall clock shows at the moment; first_bin and first_local are the same of the first bin's start.
create or replace macro bin_number(moment, local_time, bin_size, time_zone, first_bin, first_local) as
case
    -- Division rounds towards 0, so it counts from one bin before the first.
    when bin_length(bin_size, time_zone) is not null
        then
            (epoch_us(moment) - (epoch_us(first_bin) - bin_length(bin_size, time_zone)))
            // bin_length(bin_size, time_zone)
    when bin_size = 'day' then date_diff('day', first_local, local_time) + 1
    when bin_size = 'week' then date_diff('day', first_local - interval 7 days, local_time) // 7
    when bin_size = 'month' then date_diff('month', first_local, local_time) + 1
    else date_diff('year', first_local, local_time) + 1
end
