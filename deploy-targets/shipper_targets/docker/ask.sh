# One HTTP request from inside the network, its bytes as they come back.   FILE SECONDS HOST PORT
{ exec 3<>"/dev/tcp/$3/$4"; } 2>/dev/null || exit 83
cat "$1" >&3
rm -f "$1"
timeout "$2" cat <&3
