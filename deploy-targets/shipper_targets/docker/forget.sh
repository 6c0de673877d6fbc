# Records of releases go.   KEY EPOCH RECORD...
key=$1 epoch=$2
lock
found=$(version_of "$key")
[ "$epoch" -ge "${found##* }" ] || { echo "$found"; exit 76; }
shift 2
for record in "$@"; do rm -f "services/$key/releases/$record.json" || exit 84; done
