-- Who runs most commands that change rights, accounts, services or logs: one row per user.
-- What counts as one: sql/macros/privileged_commands.sql. Events come from indexed recordings only.
select
    s.user_name::varchar as user_name,
    count(distinct row(p.appliance, p.session_key, p.record_id))::bigint as event_count,
    count(distinct row(p.appliance, p.session_key))::bigint as session_count,
    count(distinct s.server_key)::bigint as server_count,
    string_agg(distinct p.pattern, ', ' order by p.pattern)::varchar as patterns,
    max(p.occurred_at)::timestamp as last_at
from privileged_commands() as p
inner join mart.fct_sessions as s on p.appliance = s.appliance and p.session_key = s.session_key
group by s.user_name
order by event_count desc, user_name
limit 20
