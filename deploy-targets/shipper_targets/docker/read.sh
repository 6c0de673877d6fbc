# What one service has on this host: its files and what the running proxy says, in one exec.   KEY ROUTE
lock -s
here=services/$1
echo "version $(version_of "$1")"
echo "token $(cat token)"
[ -e "$here/current/state.json" ] && echo "state $(cat "$here/current/state.json")"
for record in "$here"/releases/*.json; do record=${record##*/} && echo "record ${record%.json}"; done
slot=$(slot_of "$1" "$2") || exit $?
[ -n "$slot" ] || exit 0
servers=$(live_servers "$slot") || exit 77
while read -r name address weight admin; do [ -z "$name" ] || echo "server $name $address $weight $admin"; done <<<"$servers"
route=$2
[ ! -e "$here/current/route" ] || read -r route <"$here/current/route"
case $'\n'$(routed_now)$'\n' in *$'\n'"$route $slot"$'\n'*) echo "routed yes" ;; *) echo "routed no" ;; esac
