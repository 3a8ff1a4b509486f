-- Sessions whose row of mart.fct_sessions is not of what the copy has now: one row per session.
select
    coalesce(s.appliance, f.appliance) as appliance,
    coalesce(s.session_key, f.session_key) as session_key,
    s.rowid as place
from sessions as s
full outer join mart.fct_sessions as f on s.appliance = f.appliance and s.session_key = f.session_key
left join session_details as d on s.appliance = d.appliance and s.session_key = d.session_key
left join mart.dim_user_server_pairs as p on f.user_name = p.user_name and f.server_key = p.server_key
where
    s.session_key is null
    or f.session_key is null
    or s.run_id is distinct from f.run_id
    or s.extracted_at is distinct from f.extracted_at
    or s.missing_since is distinct from f.missing_since
    or d.channels_status is distinct from f.channels_status
    or d.events_status is distinct from f.events_status
    or d.alerts_status is distinct from f.alerts_status
    or f.first_seen_user_server_pair is distinct from p.first_seen_at
    or f.is_first_user_server_pair
    <> coalesce(f.appliance = p.first_appliance and f.session_key = p.first_session_key, false)
