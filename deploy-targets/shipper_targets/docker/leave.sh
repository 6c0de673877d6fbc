# A service leaves the proxy: its names, servers and slot.   KEY "ID VERSION EPOCH" EPOCH
lock
here=services/$1 left=leaving.$1
if [ -e "$here" ]; then
  expect "$@"
  rm -rf "$left" && mv "$here" "$left" || exit 84
fi
[ -e "$left" ] || exit 0
slot=
[ ! -s "$left/slot" ] || read -r slot <"$left/slot"
# One that a killed run left: its slot may have gone to another service since.
[ -z "$slot" ] || grep -qx "$slot" /dev/null services/*/slot || converge "$slot" /dev/null
rm -rf "$left" || exit 84
