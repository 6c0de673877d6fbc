# What one service has on this host: its files and what the running proxy says, in one exec.   KEY
lock -s
here=services/$1
echo "version $(version_of "$1")"
echo "token $(cat token)"
[ -e "$here/current/state.json" ] && echo "state $(cat "$here/current/state.json")"
[ -s "$here/slot" ] || exit 0
read -r slot <"$here/slot"
servers=$(live_servers "$slot") || exit 77
while read -r name ip weight admin; do [ -z "$name" ] || echo "server $name $weight $admin"; done <<<"$servers"
read -r route <"$here/current/route" || exit 0
case $'\n'$(ask "show map /state/hosts.map") in *" $route $slot"*) echo "routed yes" ;; *) echo "routed no" ;; esac
