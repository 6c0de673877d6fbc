# Wait until no request is left on these servers, which have no weight; no lock is held.   KEY SECONDS SERVER...
[ -s "services/$1/slot" ] || exit 0
read -r slot <"services/$1/slot"
end=$((SECONDS + $2))
shift 2
while :; do
  left=0
  while read -r server _ _ _ _ _ used _; do
    for name in "$@"; do [ "$server" != "$slot/$name" ] || left=$((left + used)); done
  done < <(ask "show servers conn $slot")
  [ "$left" != 0 ] || exit 0
  [ "$SECONDS" -lt "$end" ] || { echo "$left"; exit 81; }
  sleep 0.05
done
