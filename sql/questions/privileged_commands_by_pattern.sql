-- How often commands that change rights, accounts, services or logs are run: one row per pattern of commands.
-- What counts as one: sql/macros/privileged_commands.sql. Events come from indexed recordings only.
-- An event with two commands of one pattern counts once.
with privileged_events as (
    select distinct
        appliance,
        session_key,
        record_id,
        occurred_at,
        pattern
    from privileged_commands()
)

select
    e.pattern::varchar as pattern,
    count(*)::bigint as event_count,
    count(distinct row(e.appliance, e.session_key))::bigint as session_count,
    count(distinct s.user_name)::bigint as user_count,
    mode(s.user_name order by s.user_name)::varchar as most_frequent_user,
    max(e.occurred_at)::timestamp as last_at
from privileged_events as e
inner join mart.fct_sessions as s on e.appliance = s.appliance and e.session_key = s.session_key
group by e.pattern
order by event_count desc, pattern
