-- Eight groups of an IPv6 address, a colon after each, as 32 hexadecimal digits: one text per address, null for others.
create or replace macro ipv6_digits(groups) as
case
    when regexp_full_match(groups, '([0-9a-f]{1,4}:){8}')
        then regexp_replace(
            regexp_replace(groups, '([0-9a-f]+):', '000\1:', 'g'), '0*?([0-9a-f]{4}):', '\1', 'g'
        )
end
