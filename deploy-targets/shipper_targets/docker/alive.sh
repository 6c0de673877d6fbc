# Whether the proxy of an open host takes commands.
lock -s
ask "show info" >/dev/null || exit 77
