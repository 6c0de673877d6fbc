"""`ssh://user@host:port` as the docker command understands it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from shipper.errors import UsageError

SCHEME = "ssh://"


@dataclass(frozen=True)
class SshHost:
    """A host as the user's own ssh configuration knows it. `socket` is the engine's there, when it was named."""

    name: str
    user: str | None = None
    port: int | None = None
    socket: str | None = None

    def __str__(self) -> str:
        """As one would type it after `ssh`."""
        return f"{self.user}@{self.name}" if self.user else self.name

    def words(self) -> tuple[str, ...]:
        """The client's last options and the host. After `--`, a name that begins with a dash is no option."""
        user = ("-l", self.user) if self.user else ()
        port = ("-p", str(self.port)) if self.port else ()
        return (*user, *port, "--", self.name)


def ssh_host(url: str) -> SshHost:
    """`ssh://[user@]host[:port][/path/of/the/socket]`. Raises UsageError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _no_address(url) from error
    if parts.scheme != "ssh" or not parts.hostname or parts.query or parts.fragment:
        raise _no_address(url)
    if parts.password is not None:
        raise UsageError(
            f"the address of {parts.hostname} has a password in it: ssh takes none from there",
            hint="use a key: ssh-copy-id, then ssh-add",
        )
    # Not `hostname`: that is in small letters, and a name in ~/.ssh/config is matched as it is written.
    name = parts.netloc.rpartition("@")[2]
    name = name[1 : name.index("]")] if name.startswith("[") else name.partition(":")[0]
    return SshHost(name, parts.username, port, parts.path.rstrip("/") or None)


def _no_address(url: str) -> UsageError:
    return UsageError(f'"{url}" is not the address of a host', hint="use ssh://user@host, or ssh://user@host:port")
