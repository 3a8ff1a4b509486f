-- The field under which session_lists holds a list-valued field's values, null for any other field: one text per field.
create or replace macro field_list(field) as
case field_column(field)
    when 'analytics_interesting_events' then 'analytics.interesting_events'
    when 'analytics_similar_sessions' then 'analytics.similar_sessions'
    when 'analytics_tags' then 'analytics.tags'
    when 'user_server_username' then 'user.server_username'
end
