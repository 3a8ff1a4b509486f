-- The commands of events that change rights, accounts, services or logs: one row per event and command of it.
--   from privileged_commands()
-- The word that a command line begins with counts, and the one after sudo. Events come from indexed recordings only.
create or replace macro privileged_commands() as table (
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
            time as occurred_at,
            unnest(
                list_distinct([
                    regexp_extract(lower(action), '^\s*(?:\S*/)?(\S+)', 1),
                    regexp_extract(lower(action), '^\s*(?:\S*/)?sudo\s+(?:\S*/)?(\S+)', 1)
                ])
            ) as command
        from events
        where type = 'command'
    )

    select
        first_words.appliance,
        first_words.session_key,
        first_words.record_id,
        first_words.occurred_at,
        first_words.command,
        listed_commands.pattern
    from first_words
    inner join listed_commands on first_words.command = listed_commands.command
)
