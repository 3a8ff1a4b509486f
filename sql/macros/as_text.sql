-- A value as the appliance writes it: one text per value, and one value per text.
-- Whole numbers have no decimals, truths are true and false, times are ISO 8601 in UTC with milliseconds; only one that
-- is more exact than that has microseconds.
create or replace macro as_text(typed_value) as
case typeof(typed_value)
    when 'DOUBLE' then regexp_replace(cast(typed_value as varchar), '\.0$', '')
    when 'TIMESTAMP'
        then regexp_replace(
            strftime(cast(cast(typed_value as varchar) as timestamp), '%Y-%m-%dT%H:%M:%S.%fZ'), '000Z$', 'Z'
        )
    else cast(typed_value as varchar)
end
