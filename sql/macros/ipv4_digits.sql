-- An IPv4 address as eight hexadecimal digits, null where the text is none: one text per address.
-- Four numbers up to 255 without zeros before them, as the appliance's search engine has it.
create or replace macro ipv4_digits(given) as
case
    when
        regexp_full_match(
            given, '((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
        )
        then printf(
            '%02x%02x%02x%02x',
            try_cast(split_part(given, '.', 1) as integer),
            try_cast(split_part(given, '.', 2) as integer),
            try_cast(split_part(given, '.', 3) as integer),
            try_cast(split_part(given, '.', 4) as integer)
        )
end
