# Wait until no request is left on these servers; no lock is held.   KEY SECONDS SERVER...
cd /state || exit 77
slot=$(cat "services/$1/slot" 2>/dev/null) || exit 0
end=$((SECONDS + $2))
shift 2
ask() { exec 3<>/dev/tcp/127.0.0.1/9999 || exit 77; printf '%s\n' "$1" >&3; cat <&3; exec 3>&-; }
for name in "$@"; do ask "set server $slot/$name state drain" >/dev/null; done
while :; do
  left=0
  while read -r server id address port dash delay used rest; do
    for name in "$@"; do [ "$server" = "$slot/$name" ] && left=$((left + used)); done
  done < <(ask "show servers conn $slot")
  [ "$left" = 0 ] && exit 0
  [ "$SECONDS" -lt "$end" ] || { echo "$left"; exit 81; }
  sleep 0.1
done
