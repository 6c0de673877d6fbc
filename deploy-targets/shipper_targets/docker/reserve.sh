# A fixed address for a revision, held until it is freed.   KEY "ID VERSION EPOCH" REVISION FIRST LAST KNOWN
# KNOWN: this service's revisions that have a container, in spaces.
key=$1 expected=$2 revision=$3 first=$4 last=$5 known=" $6 "
lock
found=$(version_of "$key")
[ "$found" = "$expected" ] || { echo "$found"; exit 76; }
# What a killed run reserved and never used: its revision has no container, and it had ten minutes to get one.
for old in $(find addresses -type f -mmin +10); do
  read -r owner _ <"$old"
  [ "$owner" != "$key" ] || [[ $known == *" ${old#addresses/} "* ]] || rm -f "$old"
done
if [ ! -s "addresses/$revision" ]; then
  used=" $(cat /dev/null addresses/* | cut -d ' ' -f 2 | tr '\n' ' ') "
  free=
  for ((octet = first; octet <= last; octet++)); do [[ $used == *" $octet "* ]] || { free=$octet; break; }; done
  [ -n "$free" ] || exit 78
  echo "$key $free" | put "addresses/$revision"
fi
read -r _ octet <"addresses/$revision"
echo "$octet"
