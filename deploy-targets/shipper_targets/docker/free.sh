# Give addresses back.   REVISION...
cd /state || exit 77
exec 9>>lock
flock -w 20 9 || exit 75
for revision in "$@"; do rm -f "addresses/$revision"; done
