# One change of one service on this host, in one exec: lock, compare, write files, tell the running proxy, read back.
#   KEY "VERSION EPOCH" EPOCH ROUTE STATE_JSON SERVERS [remove]
# SERVERS: a line "name address weight" each. Exit: 75 locked, 76 stale (prints the version that is there),
# 77 the proxy does not answer, 78 no free slot, 79 the route belongs to another service, 80 did not converge.
set -u
cd /state || exit 77
key=$1 expected=$2 epoch=$3 route=$4 state=$5 servers=$6 remove=${7:-}
exec 9>>lock
flock -w 20 9 || { echo "the host's lock is held by another change"; exit 75; }
here=services/$key
current=$(cat "$here/version" 2>/dev/null || echo "0 0")
[ "$current" = "$expected" ] || { echo "$current"; exit 76; }

put() { cat >"$1.new" && mv -f "$1.new" "$1"; }
ask() { exec 3<>/dev/tcp/127.0.0.1/9999 || exit 77; printf '%s\n' "$1" >&3; cat <&3; exec 3>&-; }

for other in services/*/; do
  [ "$other" != "$here/" ] && [ "$(cat "$other/route" 2>/dev/null)" = "$route" ] && { basename "$other"; exit 79; }
done
mkdir -p "$here"
if [ ! -s "$here/slot" ]; then
  used=" $(cat services/*/slot 2>/dev/null | tr '\n' ' ') " free=
  for i in {00..63}; do case "$used" in *" slot$i "*) ;; *) free=slot$i; break ;; esac; done
  [ -n "$free" ] || exit 78
  echo "$free" | put "$here/slot"
fi
slot=$(cat "$here/slot")

# Files first: a proxy that restarts in the middle comes back as it should be.
head -n 4 "cfg/$slot.cfg" | { cat; while read -r name address weight; do
  [ -z "$name" ] || echo "  server $name $address weight $weight pool-purge-delay 5s"
done <<<"$servers"; } | put "cfg/$slot.cfg"
echo "${current%% *} $epoch" | { read -r version keep; echo "$((version + 1)) $keep"; } | put "$here/version"
printf '%s' "$state" | put "$here/state.json"
echo "$route" | put "$here/route"
serving=0
while read -r name address weight; do [ -n "$name" ] && [ "$weight" -gt 0 ] && serving=1; done <<<"$servers"
echo "$serving" | put "$here/serving"
[ -z "$remove" ] || rm -rf "$here"

map=
count=0 only=
for service in services/*/; do
  [ -s "$service/slot" ] || continue
  read -r its <"$service/slot"
  map+="$(cat "$service/route") $its"$'\n'
  [ "$(cat "$service/serving" 2>/dev/null)" = 1 ] && { count=$((count + 1)); only=$its; }
done
[ "$count" = 1 ] && map+="_default $only"$'\n'
printf '%s' "$map" | put hosts.map

# The whole map is replaced in one transaction.
transaction=$(ask "prepare map /state/hosts.map" | sed -n 's/.*created: //p')
[ -n "$transaction" ] || exit 77
commands=
while read -r host backend; do
  [ -z "$host" ] || commands+="add map @$transaction /state/hosts.map $host $backend; "
done <<<"$map"
ask "${commands}commit map @$transaction /state/hosts.map" | tr -s '\n'

live() { ask "show servers state $slot" | while read -r a b c name address op admin weight rest; do
  [ -n "$rest" ] && [ "$a" != "#" ] && echo "$name $weight $admin"; done | sort; }
wanted=$(while read -r name address weight; do [ -z "$name" ] || echo "$name $weight 0"; done <<<"$servers" | sort)
there=$(live)
add= weigh= leave=
while read -r name address weight; do
  [ -n "$name" ] || continue
  case $'\n'"$there" in *$'\n'"$name "*) ;; *)
    add+="add server $slot/$name $address weight $weight pool-purge-delay 5s; enable server $slot/$name; " ;;
  esac
  weigh+="set server $slot/$name weight $weight; set server $slot/$name state ready; "
done <<<"$servers"
while read -r name rest; do
  [ -n "$name" ] || continue
  case $'\n'"$wanted" in *$'\n'"$name "*) ;; *) leave+="$name " ;; esac
done <<<"$there"
[ -z "$add$weigh" ] || ask "$add$weigh" >/dev/null
for name in $leave; do
  ask "set server $slot/$name state maint; shutdown sessions server $slot/$name" >/dev/null
  for try in 1 2 3 4 5 6 7 8 9 10; do
    case $(ask "del server $slot/$name") in *deleted*|*"No such server"*) break ;; esac
    sleep 0.1
  done
done
if [ "$(live)" != "$wanted" ]; then
  # The files are right: let the proxy read them again. It keeps its listeners and ends running requests.
  haproxy -c -f /state/cfg >/dev/null 2>&1 || { echo "the configuration is not valid"; exit 80; }
  kill -USR2 1
  for try in {1..50}; do [ "$(live 2>/dev/null)" = "$wanted" ] && break; sleep 0.1; done
  [ "$(live)" = "$wanted" ] || { live; exit 80; }
fi
echo applied
