# A fixed address for a revision, held until it is freed.   KEY "VERSION EPOCH" REVISION FIRST LAST KNOWN
# KNOWN: this service's revisions that have a container, in spaces. Exit: 75 locked, 76 stale, 78 none free.
set -u
cd /state || exit 77
key=$1 expected=$2 revision=$3 first=$4 last=$5 known=" $6 "
exec 9>>lock
flock -w 20 9 || { echo "the host's lock is held by another change"; exit 75; }
current=$(cat "services/$key/version" 2>/dev/null || echo "0 0")
[ "$current" = "$expected" ] || { echo "$current"; exit 76; }
mkdir -p addresses
# What a killed run reserved and never used: its revision has no container, and it had ten minutes to get one.
for old in $(find addresses -type f -mmin +10); do
  read -r owner octet <"$old"
  [ "$owner" = "$key" ] || continue
  case "$known" in *" ${old#addresses/} "*) ;; *) rm -f "$old" ;; esac
done
if [ ! -s "addresses/$revision" ]; then
  used=" $(cat addresses/* 2>/dev/null | tr '\n' ' ') "
  free=
  for ((i = first; i <= last; i++)); do case "$used" in *" $i "*) ;; *) free=$i; break ;; esac; done
  [ -n "$free" ] || exit 78
  echo "$key $free" >"addresses/$revision.new" && mv "addresses/$revision.new" "addresses/$revision"
fi
read -r owner octet <"addresses/$revision"
echo "$octet"
