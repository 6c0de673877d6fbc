# A fixed address for a revision, held until it is freed.   KEY "ID VERSION EPOCH" EPOCH REVISION FIRST LAST OURS OTHERS
# OURS: "REVISION OCTET" a line, for this service's containers; OTHERS: octets that somebody else on the network has.
key=$1 revision=$4 first=$5 last=$6 ours=$7 others=$8
lock
expect "$1" "$2" "$3"
known=" "
while read -r name octet; do
  [ -n "$octet" ] || continue
  known+="$name "
  [ -s "addresses/$name" ] || echo "$key $octet" | put "addresses/$name" || exit 84 # of a volume lost, and made again
done <<<"$ours"
# What a killed run reserved and never used: its revision has no container, and it had ten minutes to get one.
for old in $(find addresses -type f -mmin +10); do
  read -r owner _ <"$old"
  [ "$owner" != "$key" ] || [[ $known == *" ${old#addresses/} "* ]] || rm -f "$old"
done
if [ ! -s "addresses/$revision" ]; then
  used=" $(cat /dev/null addresses/* | cut -d ' ' -f 2 | tr '\n' ' ') $others "
  free=
  for ((octet = first; octet <= last; octet++)); do [[ $used == *" $octet "* ]] || { free=$octet; break; }; done
  [ -n "$free" ] || exit 78
  echo "$key $free" | put "addresses/$revision" || exit 84
fi
read -r _ octet <"addresses/$revision"
echo "$octet"
