-- The appliance that most of some sessions are of: one row per appliance, none or one, with how many of them are its
-- own, and how many sessions the copy has of it in all.
with found as (
    select
        appliance,
        count(*) as sessions
    from sessions
    where session_key in (select unnest($keys::varchar[]))
    group by appliance
)

select
    found.appliance,
    found.sessions,
    count(*) as all_sessions
from found
inner join sessions as held on found.appliance = held.appliance
group by found.appliance, found.sessions
order by found.sessions desc, found.appliance
limit 1
