-- Who runs which command that changes rights, accounts, services or logs: one row per user and command.
-- What counts as one: sql/macros/privileged_commands.sql. Events come from indexed recordings only.
select
    s.user_name::varchar as user_name,
    p.command::varchar as command,
    p.pattern::varchar as pattern,
    count(*)::bigint as event_count,
    count(distinct row(p.appliance, p.session_key))::bigint as session_count,
    max(p.occurred_at)::timestamp as last_at
from privileged_commands() as p
inner join mart.fct_sessions as s on p.appliance = s.appliance and p.session_key = s.session_key
group by s.user_name, p.command, p.pattern
order by event_count desc, user_name, command
limit 20
