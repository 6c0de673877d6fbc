# One HTTP request from inside the network, its bytes as they come back.   FILE SECONDS HOST PORT
exec 4<"$1" || exit 1
rm -f "$1"
{ exec 3<>"/dev/tcp/$3/$4"; } 2>/dev/null || exit 83
cat <&4 >&3
timeout "$2" cat <&3
