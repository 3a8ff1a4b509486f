-- How large the whole copy is: one row per copy.
with counted_sessions as (
    select
        count(*) as session_count,
        count(distinct user_name) as user_count,
        count(distinct server_key) as server_count,
        count(*) filter (where is_active) as active_count,
        count(*) filter (where is_missing) as missing_count,
        sum(alert_count) as alert_count,
        min(started_at) as first_started_at,
        max(started_at) as newest_started_at
    from mart.fct_sessions
),

counted_details as (
    select count(*) as pending_count
    from session_details
    where is_pending
),

counted_quarantine as (
    select count(*) as quarantined_count
    from quarantine
)

select
    counted_sessions.session_count::bigint as session_count,
    counted_sessions.user_count::bigint as user_count,
    counted_sessions.server_count::bigint as server_count,
    counted_sessions.alert_count::bigint as alert_count,
    counted_sessions.active_count::bigint as active_count,
    counted_sessions.missing_count::bigint as missing_count,
    counted_details.pending_count::bigint as pending_count,
    counted_quarantine.quarantined_count::bigint as quarantined_count,
    counted_sessions.first_started_at::timestamp as first_started_at,
    counted_sessions.newest_started_at::timestamp as newest_started_at
from counted_sessions
cross join counted_details
cross join counted_quarantine
