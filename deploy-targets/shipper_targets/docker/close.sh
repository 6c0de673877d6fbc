# The addresses of a service that has left are free. Prints how many services are left; none: the host is closed.   KEY
lock
for held in addresses/*; do
  read -r owner _ <"$held"
  [ "$owner" != "$1" ] || rm -f "$held" || exit 84
done
left=(services/*/ addresses/*)
# Whoever comes now finds the host closed, and makes a new one: nothing can be lost with this one.
[ "${#left[@]}" != 0 ] || : >closed || exit 84
echo "${#left[@]}"
