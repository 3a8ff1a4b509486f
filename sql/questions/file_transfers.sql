-- Who moved files or could, and how: one row per user, server and kind of channel or event.
-- A channel says that files could be moved; an event file_transfer, of an indexed session, that one was.
with transfers as (
    select
        appliance,
        session_key,
        channel_type as way,
        started_at as happened_at,
        verdict not like 'ACCEPT%' as is_refused
    from mart.fct_channels
    where channel_type in ('session exec scp', 'session subsystem sftp', 'disk redirect', 'clipboard')
    union all
    select
        appliance,
        session_key,
        event_type as way,
        occurred_at as happened_at,
        false as is_refused
    from mart.fct_events
    where event_type = 'file_transfer'
)

select
    s.user_name::varchar as user_name,
    coalesce(s.server_name, s.server_key)::varchar as server,
    t.way::varchar as way,
    count(*)::bigint as transfer_count,
    count(*) filter (where t.is_refused)::bigint as refused_count,
    max(t.happened_at)::timestamp as last_at
from transfers as t
inner join mart.fct_sessions as s on t.appliance = s.appliance and t.session_key = s.session_key
group by s.user_name, server, t.way
order by transfer_count desc, user_name, server, way
limit 20
