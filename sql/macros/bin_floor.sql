-- When the bin that holds a local time starts, by the wall clock: one timestamp per local time.
create or replace macro bin_floor(local_time, bin_size) as
case bin_size
    when 'second' then date_trunc('second', local_time)
    when 'minute' then date_trunc('minute', local_time)
    when 'hour' then date_trunc('hour', local_time)
    when 'day' then cast(date_trunc('day', local_time) as timestamp)
    when 'week' then cast(date_trunc('week', local_time) as timestamp)
    when 'month' then cast(date_trunc('month', local_time) as timestamp)
    when 'year' then cast(date_trunc('year', local_time) as timestamp)
    else error('bin_size is second, minute, hour, day, week, month or year')
end
