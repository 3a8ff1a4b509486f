-- One row per session of the copy, those that the appliance has no more among them.
with named_sessions as (
    select
        sessions.*,
        details.channels_status,
        details.events_status,
        details.alerts_status,
        coalesce(sessions.user_name, sessions.user_gateway_username) as who,
        coalesce(sessions.server_ip, sessions.server_name) as server_key,
        upper(replace(sessions.verdict, '-', '_')) as plain_verdict,
        as_local_time(sessions.start_time, $office_zone::varchar) as local_start
    from sessions
    left join session_details as details
        on sessions.appliance = details.appliance
        and sessions.session_key = details.session_key
),

-- a build of some sessions must not hold everybody's
pairs as (
    select
        user_name,
        server_key,
        first_seen_at,
        first_appliance,
        first_session_key
    from mart.dim_user_server_pairs
    where (user_name, server_key) in (
        select
            coalesce(sessions.user_name, sessions.user_gateway_username) as who,
            coalesce(sessions.server_ip, sessions.server_name) as server_key
        from sessions
    )
),

channel_counts as (
    select
        appliance,
        session_key,
        count(*) as channel_count
    from channels
    group by appliance, session_key
),

event_counts as (
    select
        appliance,
        session_key,
        count(*) as event_count
    from events
    group by appliance, session_key
),

alert_counts as (
    select
        appliance,
        session_key,
        count(*) as alert_count
    from alerts
    group by appliance, session_key
),

highest_scores as (
    select
        appliance,
        session_key,
        max(score) as highest_score,
        -- of equal scores the first algorithm by name
        arg_min(algorithm, row(-score, algorithm)) as highest_score_algorithm
    from session_scores
    where score is not null
    group by appliance, session_key
)

select
    s.appliance::varchar as appliance,
    s.session_key::varchar as session_key,
    s.who::varchar as user_name,
    s.user_gateway_username::varchar as gateway_user_name,
    s.user_server_username::varchar as server_user_name,
    s.server_key::varchar as server_key,
    s.server_name::varchar as server_name,
    s.server_ip::varchar as server_ip,
    try_cast(s.server_port as integer)::integer as server_port,
    coalesce(s.client_ip, s.client_name)::varchar as client_key,
    s.client_ip::varchar as client_ip,
    s.client_name::varchar as client_name,
    s.recording_connection_policy_id::varchar as connection_policy_id,
    s.recording_connection_policy::varchar as connection_policy,
    s.recording_channel_policy::varchar as channel_policy,
    upper(s.protocol)::varchar as protocol,
    s.plain_verdict::varchar as verdict,
    s.recording_deny_reason::varchar as deny_reason,
    coalesce(s.recording_auth_method, s.log_auth_method)::varchar as auth_method,
    s.origin::varchar as origin,
    s.node_id::varchar as node_id,
    s.recording_index_status::varchar as index_status,
    s.start_time::timestamp as started_at,
    s.end_time::timestamp as ended_at,
    s.creation_time::timestamp as created_at,
    s.start_time::date as started_date,
    hour(s.local_start)::integer as started_hour,
    isodow(s.local_start)::integer as started_weekday,
    (case
        when not coalesce(s.active, false) then coalesce(s.duration, date_sub('second', s.start_time, s.end_time))
    end)::bigint as duration_seconds,
    -- NULL is "not fetched", 0 "fetched, and there are none"; rows of an earlier revision count until it is fetched
    (case when s.channels_status = 'fetched' then coalesce(c.channel_count, 0) else c.channel_count end)::bigint
        as channel_count,
    (case when s.events_status = 'fetched' then coalesce(e.event_count, 0) else e.event_count end)::bigint
        as event_count,
    (case when s.alerts_status = 'fetched' then coalesce(a.alert_count, 0) else a.alert_count end)::bigint
        as alert_count,
    s.channels_status::varchar as channels_status,
    s.events_status::varchar as events_status,
    s.alerts_status::varchar as alerts_status,
    s.analytics_score_aggregated::double as risk_score,
    h.highest_score::double as highest_score,
    h.highest_score_algorithm::varchar as highest_score_algorithm,
    s.analytics_tags::varchar as tags,
    coalesce(s.active, false)::boolean as is_active,
    coalesce(s.recording_index_status <> 'NO_TRAIL', false)::boolean as is_recorded,
    coalesce(s.recording_index_status = 'INDEXED', false)::boolean as is_indexed,
    coalesce(s.recording_archived, false)::boolean as is_archived,
    coalesce(s.analytics_scripted, false)::boolean as is_scripted,
    (s.missing_since is not null)::boolean as is_missing,
    coalesce(s.plain_verdict in ('AUTH_FAIL', 'GW_AUTH_FAIL', 'USER_MAPPING_FAIL', 'KEY_ERROR'), false)::boolean
        as has_failed_login,
    (coalesce(a.alert_count, 0) > 0)::boolean as has_alerts,
    (coalesce(s.analytics_interesting_events, '') <> '')::boolean as has_interesting_events,
    -- shifted by the office's opening, a range over midnight is one of a single day, that on which it begins
    (not (
        list_contains($office_days::integer[], isodow(s.local_start - to_minutes($office_begin::integer))::integer)
        and date_part('hour', s.local_start - to_minutes($office_begin::integer)) * 60
        + date_part('minute', s.local_start - to_minutes($office_begin::integer)) < $office_minutes::integer
    ))::boolean as is_outside_office_hours,
    coalesce(s.appliance = p.first_appliance and s.session_key = p.first_session_key, false)::boolean
        as is_first_user_server_pair,
    p.first_seen_at::timestamp as first_seen_user_server_pair,
    s.missing_since::timestamp as missing_since,
    s.extracted_at::timestamp as extracted_at,
    s.run_id::varchar as run_id
from named_sessions as s
left join pairs as p on s.who = p.user_name and s.server_key = p.server_key
left join channel_counts as c on s.appliance = c.appliance and s.session_key = c.session_key
left join event_counts as e on s.appliance = e.appliance and s.session_key = e.session_key
left join alert_counts as a on s.appliance = a.appliance and s.session_key = a.session_key
left join highest_scores as h on s.appliance = h.appliance and s.session_key = h.session_key
