-- fatal: offending rows are counts of the marts that are not those of the sessions and details below; none may be
with sessions_counted as (
    select
        count(*)::bigint as session_count,
        coalesce(sum(channel_count), 0)::bigint as channel_count,
        coalesce(sum(event_count), 0)::bigint as event_count,
        coalesce(sum(alert_count), 0)::bigint as alert_count,
        count(user_name)::bigint as of_users,
        count(server_key)::bigint as of_servers,
        count(client_key)::bigint as of_clients,
        count(coalesce(connection_policy_id, connection_policy))::bigint as of_policies,
        count(*) filter (where is_first_user_server_pair)::bigint as first_count
    from mart.fct_sessions
),

daily_counted as (
    select
        coalesce(sum(session_count), 0)::bigint as session_count,
        coalesce(sum(event_count), 0)::bigint as event_count,
        coalesce(sum(alert_count), 0)::bigint as alert_count
    from mart.agg_sessions_daily
),

found as (
    select
        d.session_count as of_days,
        d.event_count as events_of_days,
        d.alert_count as alerts_of_days,
        s.channel_count as channels,
        s.event_count as events,
        s.alert_count as alerts,
        s.first_count as first_sessions,
        coalesce((select sum(u.session_count) from mart.dim_users as u), 0)::bigint as of_users,
        coalesce((select sum(v.session_count) from mart.dim_servers as v), 0)::bigint as of_servers,
        coalesce((select sum(c.session_count) from mart.dim_clients as c), 0)::bigint as of_clients,
        coalesce((select sum(p.session_count) from mart.dim_connection_policies as p), 0)::bigint as of_policies
    from daily_counted as d
    cross join sessions_counted as s
),

expected as (
    select
        s.session_count as of_days,
        s.event_count as events_of_days,
        s.alert_count as alerts_of_days,
        (select count(*) from channels)::bigint as channels,
        (select count(*) from events)::bigint as events,
        (select count(*) from alerts)::bigint as alerts,
        (select count(*) from mart.dim_user_server_pairs)::bigint as first_sessions,
        s.of_users,
        s.of_servers,
        s.of_clients,
        s.of_policies
    from sessions_counted as s
)

select
    f.what,
    f.counted as found,
    e.counted as expected
from (unpivot found on columns(*) into name what value counted) as f
inner join (unpivot expected on columns(*) into name what value counted) as e on f.what = e.what
where f.counted <> e.counted
