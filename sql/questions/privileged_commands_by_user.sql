-- Who runs most commands that change rights, accounts, services or logs: one row per user.
-- The word that a command line begins with counts, and the one after sudo. Events come from indexed recordings only.
with patterns (pattern, commands) as (
    values
    ('acts as another user', ['sudo', 'su', 'doas', 'runas']),
    ('changes accounts', ['passwd', 'chpasswd', 'useradd', 'usermod', 'userdel', 'groupadd', 'groupdel', 'visudo']),
    ('changes permissions', ['chmod', 'chown', 'chgrp', 'setfacl', 'icacls']),
    ('changes services', ['systemctl', 'service', 'sc', 'shutdown', 'reboot']),
    ('changes the firewall', ['iptables', 'nft', 'ufw', 'firewall-cmd', 'netsh']),
    ('changes what is scheduled', ['crontab', 'at', 'schtasks']),
    ('changes what is logged', ['auditctl', 'journalctl', 'logrotate', 'wevtutil']),
    ('deletes files', ['rm', 'shred', 'dd'])
),

listed_commands as (
    select
        pattern,
        unnest(commands) as command
    from patterns
),

first_words as (
    select
        appliance,
        session_key,
        record_id,
        occurred_at,
        unnest(
            list_distinct([
                regexp_extract(lower(action), '^\s*(?:\S*/)?(\S+)', 1),
                regexp_extract(lower(action), '^\s*(?:\S*/)?sudo\s+(?:\S*/)?(\S+)', 1)
            ])
        ) as command
    from mart.fct_events
    where event_type = 'command'
),

privileged_commands as (
    select
        first_words.*,
        listed_commands.pattern
    from first_words
    inner join listed_commands on first_words.command = listed_commands.command
)

select
    s.user_name::varchar as user_name,
    count(distinct row(p.appliance, p.session_key, p.record_id))::bigint as event_count,
    count(distinct row(p.appliance, p.session_key))::bigint as session_count,
    count(distinct s.server_key)::bigint as server_count,
    string_agg(distinct p.pattern, ', ' order by p.pattern)::varchar as patterns,
    max(p.occurred_at)::timestamp as last_at
from privileged_commands as p
inner join mart.fct_sessions as s on p.appliance = s.appliance and p.session_key = s.session_key
group by s.user_name
order by event_count desc, user_name
limit 20
