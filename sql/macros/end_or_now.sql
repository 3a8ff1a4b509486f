-- Until when a session is known to be alive (UTC): one timestamp per session.
-- One that has not ended goes on until now_at, by default now.
create or replace macro end_or_now(end_time, now_at) as
coalesce(end_time, cast(now_at as timestamp), make_timestamp(epoch_us(now())))
