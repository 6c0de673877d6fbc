# One change of one service: lock, compare, write its files, tell the running proxy, read back.
#   KEY "ID VERSION EPOCH" EPOCH ROUTE STATE_JSON SERVERS
key=$1 expected=$2 epoch=$3 route=$4 state=$5 servers=$6
here=services/$key
lock
found=$(version_of "$key")
[ "$found" = "$expected" ] || { echo "$found"; exit 76; }
for other in services/*/current/route; do
  read -r its <"$other"
  [ "$its" != "$route" ] || [ "$other" = "$here/current/route" ] || { other=${other#services/}; echo "${other%%/*}"; exit 79; }
done

mkdir -p "$here"
if [ ! -s "$here/slot" ]; then
  used=" $(cat /dev/null services/*/slot | tr '\n' ' ') "
  for number in {00..63}; do [[ $used == *" slot$number "* ]] || break; number=; done
  [ -n "$number" ] || exit 78
  echo "slot$number" | put "$here/slot"
fi
read -r slot <"$here/slot"

read -r _ number _ <<<"$found"
was=v$number next=v$((number + 1))
rm -rf "${here:?}/$next"
mkdir "$here/$next"
echo "$((number + 1)) $epoch" >"$here/$next/version"
echo "$route" >"$here/$next/route"
printf '%s\n' "$state" >"$here/$next/state.json"
printf '%s' "$servers" >"$here/$next/servers"
serving=0
while read -r name address weight; do [ "$weight" = 0 ] || serving=1; done <"$here/$next/servers"
echo "$serving" >"$here/$next/serving"
# This rename is the change: before it everything is as it was, after it a start of the proxy brings the new state.
ln -sfn "$next" "$here/current.new" && mv -fT "$here/current.new" "$here/current"
for old in "$here"/v*; do case ${old##*/} in "$was" | "$next") ;; *) rm -rf "$old" ;; esac; done

converge "$slot" "$here/current/servers"
version_of "$key"
