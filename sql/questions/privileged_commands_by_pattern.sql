-- How often commands that change rights, accounts, services or logs are run: one row per pattern of commands.
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
    select distinct
        listed_commands.pattern,
        first_words.* exclude (command)
    from first_words
    inner join listed_commands on first_words.command = listed_commands.command
)

select
    p.pattern::varchar as pattern,
    count(*)::bigint as event_count,
    count(distinct row(p.appliance, p.session_key))::bigint as session_count,
    count(distinct s.user_name)::bigint as user_count,
    mode(s.user_name order by s.user_name)::varchar as most_frequent_user,
    max(p.occurred_at)::timestamp as last_at
from privileged_commands as p
inner join mart.fct_sessions as s on p.appliance = s.appliance and p.session_key = s.session_key
group by p.pattern
order by event_count desc, pattern
