-- The last moment at which a session is known to be alive (UTC): one timestamp per session.
-- A session without an end is still alive at now_at, by default now. Clocks differ, so that a session can seem to end
-- before it starts: it was alive at its start all the same.
create or replace macro alive_until(start_time, end_time, now_at) as
greatest(start_time, coalesce(end_time, cast(now_at as timestamp), make_timestamp(epoch_us(now()))))
