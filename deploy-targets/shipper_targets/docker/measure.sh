# The counters of one service's revisions: HAProxy's statistics, then our latency table.   KEY ROUTE
slot=$(slot_of "$1" "$2") || exit $?
[ -n "$slot" ] || exit 0
echo "slot $slot"
ask "show stat $slot 4 -1; show table latency" | grep -e '^# pxname' -e "^$slot," -e "key=$slot/" || true
