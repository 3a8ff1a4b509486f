#!/bin/sh
# Tells that a unit has failed, to the journal and, where NOTIFY_MAIL is set, by mail: notify.sh UNIT
# systemd says the unit's end in MONITOR_*, from version 251; an older one is asked.
set -eu
unit=$1

property() {
    systemctl show --value --property="$1" "$unit"
}

result=${MONITOR_SERVICE_RESULT:-$(property Result)}
status=${MONITOR_EXIT_STATUS:-$(property ExecMainStatus)}
case $result:$status in
*:2) means="wrong usage or settings: spsetl doctor says what" ;;
*:3) means="incomplete, or not fresh: spsetl status says what, the next sync mends what it can" ;;
*:4) means="login or rights: look at the user on the appliance and at /etc/spsetl/password" ;;
*:5) means="the appliance cannot be reached or keeps failing: spsetl doctor says where" ;;
*:6) means="another sync holds the data directory" ;;
*:130 | *:143) means="it was stopped; what was fetched is kept" ;;
*:243) means="its password cannot be read: is there an /etc/spsetl/password?" ;;
*) means="see its log" ;;
esac
title="$unit on $(uname -n) has failed: $result, $status ($means)"

# <2> makes it a critical message of the journal.
printf '<2>%s\n' "$title"
[ -n "${NOTIFY_MAIL:-}" ] || exit 0

{
    printf 'To: %s\nSubject: %s\nContent-Type: text/plain; charset=utf-8\n\n' "$NOTIFY_MAIL" "$title"
    printf '%s\n\nThe end of its log (journalctl --unit %s):\n\n' "$title" "$unit"
    journalctl --unit "$unit" --lines 40 --no-pager --output cat
} | sendmail -t -oi
