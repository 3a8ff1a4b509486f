-- The groups of an IPv6 address of hexadecimal digits, a colon after each: one text per address.
-- With * for :: there are as many groups as colons, and at least one is left out. Other text gives some other text.
create or replace macro ipv6_groups(given) as
replace(
    ipv6_starred(given) || ':',
    '*:',
    repeat('0:', greatest(1, 8 - (length(ipv6_starred(given)) - length(replace(ipv6_starred(given), ':', '')))))
)
