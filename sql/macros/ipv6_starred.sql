-- An IPv6 address with a group * for those that :: leaves out: one text per address.
create or replace macro ipv6_starred(given) as
regexp_replace(regexp_replace(replace(given, '::', ':*:'), '^:\*', '*'), '\*:$', '*')
