# What every script on the host shares; it goes before each of them. Files first, then the running proxy.
#
#   /state/id token          of this volume, random, made once
#   /state/lock closed       the host lock; closed: the last service is gone, this volume is being removed
#   /state/secret-key        what secret versions of this host are made with, made once
#   /state/services/KEY/     slot, and current -> vN: version, route, serving, state.json, servers ("name ip:port weight");
#                            releases/N-ID.json: the record of each release, written once
#   /state/incoming/         what is handed over for the next change
#   /state/addresses/NAME    "KEY OCTET": the fixed address of a revision, held until it is freed
#   /state/cfg *.map         made from the above, at the proxy's start and at every change
#
# Exit codes: 75 locked, 76 stale (prints what is there), 77 the proxy does not answer, 78 full,
# 79 the route belongs to another service (prints which), 80 did not converge, 81 not drained, 82 closed,
# 84 the files could not be written.
#
# The last thing that each prints says that nothing of its answer is missing.
set -uo pipefail
incoming=
trap '[ -z "$incoming" ] || rm -f "incoming/$incoming"; printf "\n--\n"' EXIT
shopt -s nullglob
cd /state || exit 77

lock() { # [-s for reading]
  exec 9>>lock || exit 84
  flock "$@" -w 20 9 || exit 75
  [ ! -e closed ] || exit 82
}

version_of() { # KEY -> "ID VERSION EPOCH"
  local id numbers="0 0"
  read -r id <id
  [ ! -e "services/$1/current/version" ] || read -r numbers <"services/$1/current/version"
  echo "$id $numbers"
}

put() { cat >"$1.new" && mv -f "$1.new" "$1"; }

expect() { # KEY "ID VERSION EPOCH" EPOCH: somebody else wrote, or has a higher epoch
  local found
  found=$(version_of "$1")
  [ "$found" = "$2" ] && [ "$3" -ge "${found##* }" ] || { echo "$found"; exit 76; }
}

random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

secret_key() { # made when there is none
  [ -s secret-key ] || (umask 077 && random 32 | put secret-key && sync secret-key .) || exit 84
  cat secret-key
}

ask() { # COMMANDS -> what the running proxy says
  exec 3<>/dev/tcp/127.0.0.1/9999 || exit 77
  printf '%s\n' "$1" >&3
  cat <&3
  exec 3>&-
}

slot_config() { # SLOT [SERVERS_FILE]
  printf 'backend %s\n  balance roundrobin\n  http-reuse safe\n' "$1"
  while read -r name address weight; do
    printf '  server %s %s weight %s pool-purge-delay 5s\n' "$name" "$address" "$weight"
  done <"${2:-/dev/null}"
}

routed_now() { # "route slot" a line, as the running proxy has it
  ask "show map /state/hosts.map" | while read -r _ route slot; do [ -z "$slot" ] || echo "$route $slot"; done
}

slot_of() { # KEY ROUTE -> its slot; without a file of ours, the one that the running proxy has for this route
  local claimed route slot found=
  if [ -s "services/$1/slot" ]; then cat "services/$1/slot"; return; fi
  claimed=" $(cat /dev/null {services/*,leaving.*}/slot | tr '\n' ' ') "
  routed_now | while read -r route slot; do # to its end: who writes to a closed pipe fails, and all of it with it
    [ -n "$found" ] || [ "$route" != "$2" ] || [[ $claimed == *" $slot "* ]] || { found=$slot; echo "$slot"; }
  done
}

hosts_map() { # [RUNNING]: route -> slot; who serves alone on this host answers to any name
  local here route slot serving known=" $(cat /dev/null leaving.*/slot | tr '\n' ' ') " serve=() all=()
  for here in services/*/current/; do
    read -r route <"$here/route" && read -r slot <"${here%current/}slot" && read -r serving <"$here/serving" || continue
    echo "$route $slot"
    known+="$route $slot "
    all+=("$slot")
    [ "$serving" != 1 ] || serve+=("$slot")
  done
  while read -r route slot; do # what somebody put there without a file of ours goes on serving
    [[ -n $route && $route != _default && $known != *" $route "* && $known != *" $slot "* ]] || continue
    echo "$route $slot"
    all+=("$slot") serve+=("$slot")
  done <<<"${1:-}"
  if [ "${#serve[@]}" = 1 ]; then echo "_default ${serve[0]}"
  elif [ "${#serve[@]}" = 0 ] && [ "${#all[@]}" = 1 ]; then echo "_default ${all[0]}"; fi
}

pins_map() { # revision -> ip:port
  cat /dev/null services/*/current/servers | while read -r name address weight; do echo "$name $address"; done
}

replace_map() { # FILE, its text on stdin: file and running proxy, in one transaction. Fails when the proxy refuses, or 84
  local file=/state/$1 text transaction commands= key value said=
  text=$(cat)
  printf '%s\n' "$text" | put "$file" || return 84
  transaction=$(ask "prepare map $file" | sed -n 's/.*created: //p')
  [ -n "$transaction" ] || return 1
  while read -r key value; do
    [ -z "$key" ] || commands+="add map @$transaction $file $key $value; "
    # One line of commands must fit into the proxy's buffer of 16 kB.
    [ "${#commands}" -lt 8000 ] || { said+=$(ask "$commands") && commands=; }
  done <<<"$text"
  said+=$(ask "${commands}commit map @$transaction $file") # says nothing when it is done
  [ -z "${said//[$'\n ']/}" ]
}

live_servers() { # SLOT -> "name ip:port weight admin-state" a line
  ask "show servers state $1" | while read -r first _ _ name ip _ admin weight _ _ _ _ _ _ _ _ _ _ port rest; do
    if [ -n "$rest" ] && [ "$first" != "#" ]; then echo "$name $ip:$port $weight $admin"; fi
  done | sort
}

take_away() { # SLOT/SERVER; what is still in flight there was given its time by drain.sh
  local try
  ask "set server $1 state maint; shutdown sessions server $1" >/dev/null
  for try in {1..20}; do
    case $(ask "del server $1") in *deleted* | *"No such server"*) return ;; esac
    sleep 0.1
  done
}

converge() { # SLOT SERVERS_FILE: files and running proxy as these servers say
  local slot=$1 file=$2 wanted there commands= lower= name address weight rest try whole=yes
  # What cannot be written must not be read again by a reload either: the proxy goes on with what it has.
  slot_config "$slot" "$file" | put "cfg/$slot.cfg" || exit 84
  pins_map | replace_map pins.map || { [ $? != 84 ] || exit 84; whole=; }
  wanted=$(while read -r name address weight; do echo "$name $address $weight 0"; done <"$file" | sort)
  there=$(live_servers "$slot")
  # Add, raise, lower, and only then take away: at no moment is there nobody who can answer.
  while read -r name address weight; do
    if [[ $'\n'$there == *$'\n'"$name "* ]]; then
      commands+="set server $slot/$name addr ${address%:*} port ${address#*:}; "
    else
      commands+="add server $slot/$name $address weight $weight pool-purge-delay 5s; enable server $slot/$name; "
    fi
    if [ "$weight" -gt 0 ]; then
      commands+="set server $slot/$name weight $weight; set server $slot/$name state ready; "
    else
      lower+="set server $slot/$name weight 0; set server $slot/$name state ready; "
    fi
  done <"$file"
  [ -z "$commands" ] || ask "$commands" >/dev/null
  [ -z "$lower" ] || ask "$lower" >/dev/null
  hosts_map "$(routed_now)" | replace_map hosts.map || { [ $? != 84 ] || exit 84; whole=; }
  while read -r name rest; do
    [ -z "$name" ] || [[ $'\n'$wanted == *$'\n'"$name "* ]] || take_away "$slot/$name"
  done <<<"$there"
  # Runtime errors are text with status 0: what counts is what the proxy says it has now.
  [ "$whole" ] && [ "$(live_servers "$slot")" = "$wanted" ] && return
  # The files are right: let the proxy read them again. It keeps its listeners and ends running requests.
  haproxy -c -f cfg >/dev/null 2>&1 || { echo "its configuration is not valid"; exit 80; }
  kill -USR2 1
  for try in {1..50}; do
    [ "$(live_servers "$slot" 2>/dev/null)" = "$wanted" ] && return
    sleep 0.1
  done
  exit 80
}
