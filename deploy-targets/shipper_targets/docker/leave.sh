# A service leaves the proxy: its names, servers and slot.   KEY
lock
here=services/$1
[ -e "$here" ] || exit 0
slot=
[ ! -s "$here/slot" ] || read -r slot <"$here/slot"
rm -rf "leaving.$1" && mv "$here" "leaving.$1"
[ -z "$slot" ] || converge "$slot" /dev/null
rm -rf "leaving.$1"
