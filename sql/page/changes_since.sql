-- What of the copy is new or has changed since $since, by its lineage: one row per copy.
with changed_sessions as (
    select
        count(*) filter (where extracted_at > $since::timestamp) as session_count,
        count(*) filter (where missing_since > $since::timestamp) as missing_count
    from sessions
),

new_users as (
    select count(*) as user_count
    from mart.dim_users
    where first_seen_at > $since::timestamp
),

new_servers as (
    select count(*) as server_count
    from mart.dim_servers
    where first_seen_at > $since::timestamp
),

changed_alerts as (
    select count(*) as alert_count
    from alerts
    where extracted_at > $since::timestamp
),

new_in_quarantine as (
    select count(*) as quarantined_count
    from quarantine
    where extracted_at > $since::timestamp
)

select
    changed_sessions.session_count::bigint as session_count,
    new_users.user_count::bigint as user_count,
    new_servers.server_count::bigint as server_count,
    changed_alerts.alert_count::bigint as alert_count,
    changed_sessions.missing_count::bigint as missing_count,
    new_in_quarantine.quarantined_count::bigint as quarantined_count
from changed_sessions
cross join new_users
cross join new_servers
cross join changed_alerts
cross join new_in_quarantine
