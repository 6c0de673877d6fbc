# What one service has on this host: its files and what the running proxy says, in one exec.   KEY
cd /state || exit 77
here=services/$1
echo "version $(cat "$here/version" 2>/dev/null || echo "0 0")"
echo "token $(cat token)"
slot=$(cat "$here/slot" 2>/dev/null)
echo "slot $slot"
echo "state $(cat "$here/state.json" 2>/dev/null)"
[ -n "$slot" ] || exit 0
exec 3<>/dev/tcp/127.0.0.1/9999 || exit 77
printf 'show servers state %s\n' "$slot" >&3
while read -r a b c name address op admin weight rest; do
  [ -n "$rest" ] && [ "$a" != "#" ] && echo "server $name $weight $admin"
done <&3
exit 0
