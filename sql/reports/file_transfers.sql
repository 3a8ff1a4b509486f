-- Who could move files, and how: one row per user, server and kind of channel.
select
    sessions.user_name::varchar as user_name,
    sessions.server_name::varchar as server_name,
    channels.type::varchar as channel_type,
    count(*)::bigint as channel_count,
    count(*) filter (where lower(channels.verdict) <> 'accept')::bigint as refused_count,
    max(channels.start_time)::timestamp as last_at
from channels
inner join sessions
    on channels.appliance = sessions.appliance
    and channels.session_key = sessions.session_key
where channels.type in ('session exec scp', 'session subsystem sftp', 'disk redirect', 'clipboard')
group by sessions.user_name, sessions.server_name, channels.type
order by channel_count desc, user_name, server_name, channel_type
limit 20
