-- Whether a session belongs to the range of time from start_at until before end_at (UTC): one truth per session.
--   started    it started in the range
--   contained  it started in the range or later, and ended before the range did: the text of the API's guide
--   overlap    it was alive at some moment of the range: the guide's second example of statistics
-- A bound that is null does not bound. Clocks differ, so that a session can seem to end before it starts: it was alive
-- at its start all the same.
create or replace macro is_in_range(start_time, end_time, match, start_at, end_at, now_at) as
case
    when match in ('started', 'contained', 'overlap') then true
    else error('match is started, contained or overlap')
end
and (
    start_at is null
    or start_time >= cast(start_at as timestamp)
    or (match = 'overlap' and end_or_now(end_time, now_at) >= cast(start_at as timestamp))
)
and (end_at is null or case when match = 'contained' then end_time else start_time end < cast(end_at as timestamp))
