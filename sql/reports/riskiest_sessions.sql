-- The riskiest sessions and why: one row per session, the highest score first.
with ranked_scores as (
    select
        appliance,
        session_key,
        string_agg(algorithm || ' ' || round(score)::integer, ', ' order by score desc, algorithm) as reasons
    from session_scores
    group by appliance, session_key
)

select
    sessions.start_time::timestamp as start_time,
    sessions.user_name::varchar as user_name,
    sessions.server_name::varchar as server_name,
    sessions.protocol::varchar as protocol,
    sessions.analytics_score_aggregated::double as score,
    ranked_scores.reasons::varchar as reasons,
    sessions.session_key::varchar as session_key
from sessions
left join ranked_scores
    on sessions.appliance = ranked_scores.appliance
    and sessions.session_key = ranked_scores.session_key
where sessions.analytics_score_aggregated is not null
order by score desc, sessions.start_time desc, session_key
limit 20
