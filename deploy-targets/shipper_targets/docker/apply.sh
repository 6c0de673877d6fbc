# One change of one service: lock, compare, write its files, tell the running proxy, read back.
#   KEY "ID VERSION EPOCH" EPOCH ROUTE STATE_JSON SERVERS [RECORD INCOMING]
# RECORD: the name N-ID of a release whose record was handed over as incoming/INCOMING, which is KEY@….
key=$1 expected=$2 epoch=$3 route=$4 state=$5 servers=$6 record=${7:-} incoming=${8:-}
here=services/$key
lock
expect "$key" "$expected" "$epoch"
for other in services/*/current/route; do
  read -r its <"$other"
  [ "$its" != "$route" ] || [ "$other" = "$here/current/route" ] || { other=${other#services/}; echo "${other%%/*}"; exit 79; }
done

slot=$(slot_of "$key" "$route") || exit $?
if [ -z "$slot" ]; then
  used=" $(cat /dev/null services/*/slot | tr '\n' ' ') $(routed_now | tr '\n' ' ') "
  for number in {00..63}; do [[ $used == *" slot$number "* ]] || break; number=; done
  [ -n "$number" ] || exit 78
  slot=slot$number
fi
mkdir -p "$here/releases" && { [ -s "$here/slot" ] || echo "$slot" | put "$here/slot"; } || exit 84
if [ -n "$record" ] && [ ! -e "$here/releases/$record.json" ]; then
  sync "incoming/$incoming" && mv "incoming/$incoming" "$here/releases/$record.json" && sync "$here/releases" || exit 84
fi

read -r _ number _ <<<"$expected"
was=v$number next=v$((number + 1))
serving=0
while read -r name address weight; do [ -z "$name" ] || [ "$weight" = 0 ] || serving=1; done <<<"$servers"
# A full disk must not become the truth; and after a power cut there is the whole of it, or what was before.
rm -rf "${here:?}/$next"
mkdir "$here/$next" &&
  echo "$((number + 1)) $epoch" >"$here/$next/version" &&
  echo "$route" >"$here/$next/route" &&
  printf '%s\n' "$state" >"$here/$next/state.json" &&
  printf '%s' "$servers" >"$here/$next/servers" &&
  echo "$serving" >"$here/$next/serving" &&
  sync "$here/$next"/* "$here/$next" "$here/slot" || exit 84
# This rename is the change: before it everything is as it was, after it a start of the proxy brings the new state.
ln -sfn "$next" "$here/current.new" && mv -fT "$here/current.new" "$here/current" && sync "$here" || exit 84
for old in "$here"/v*; do case ${old##*/} in "$was" | "$next") ;; *) rm -rf "$old" ;; esac; done
# Of runs that were killed, or of one that has seen less than is there now and will be refused.
rm -f incoming/"$key"@*

converge "$slot" "$here/current/servers"
version_of "$key"
