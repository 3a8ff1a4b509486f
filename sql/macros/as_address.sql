-- An IP address as 32 hexadecimal digits that sort as addresses do, null where the text is none: one text per address.
-- IPv4 stands in IPv6 as ::ffff:10.0.0.1, as the appliance's search engine has it. Example:
-- where as_address(client_ip) between as_address('10.0.0.1') and as_address('10.0.0.50')
create or replace macro as_address(given) as
case
    when not contains(given, ':') then '00000000000000000000ffff' || ipv4_digits(given)
    when regexp_matches(given, '::.*::|\*') then null
    when contains(given, '.')
        then ipv6_digits(
            ipv6_groups(
                regexp_replace(lower(given), '[^:]*$', '')
                || left(ipv4_digits(regexp_extract(given, '[^:]*$')), 4)
                || ':'
                || right(ipv4_digits(regexp_extract(given, '[^:]*$')), 4)
            )
        )
    else ipv6_digits(ipv6_groups(lower(given)))
end
