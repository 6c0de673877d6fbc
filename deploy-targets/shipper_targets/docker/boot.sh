# The proxy's own start: everything that HAProxy reads is made again from the services' files. BASE_CONFIG
# What was written before serves on when nothing more can be written; without these two there is nothing to serve.
mkdir -p cfg services addresses incoming
rm -rf leaving.*
[ -s id ] || random 8 | put id || exit 84
[ -s token ] || (umask 077 && random 16 | put token) || exit 84
read -r token <token || [ -n "$token" ]
printf '%s 1\n' "$token" | put tokens.map
printf '%s' "$1" | put cfg/00-base.cfg
for number in {00..63}; do slot_config "slot$number" | put "cfg/slot$number.cfg"; done
for here in services/*/current/; do
  read -r slot <"${here%current/}slot" && slot_config "$slot" "${here}servers" | put "cfg/$slot.cfg"
done
hosts_map | put hosts.map
pins_map | put pins.map
exec haproxy -W -db -f /state/cfg
