-- When a bin of a histogram starts (UTC): one timestamp per bin. See bin_number.
create or replace macro bin_start(number, bin_size, time_zone, first_bin, first_local) as
case
    when bin_length(bin_size, time_zone) is not null
        then first_bin + to_microseconds((number - 1) * bin_length(bin_size, time_zone))
    else as_utc_time(
        first_local + case bin_size
            when 'day' then to_days(cast(number - 1 as integer))
            when 'week' then to_days(cast(7 * (number - 1) as integer))
            when 'month' then to_months(cast(number - 1 as integer))
            else to_years(cast(number - 1 as integer))
        end,
        time_zone
    )
end
