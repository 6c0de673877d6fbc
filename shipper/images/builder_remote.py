"""A BuildKit elsewhere, over TCP (with TLS) or over ssh, through buildx's remote driver.

Over ssh that driver runs `buildctl dial-stdio` there (BuildKit's connhelper/ssh): buildctl must be on PATH, and no
Docker is needed. Source: docker/buildx, driver/remote; measured with buildx 0.13.1.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

from shipper.errors import ConfigError
from shipper.images.builder import Instance, file_of, name_for
from shipper.model.builder import RemoteBuilder

_FILES = {"cacert": "ca", "cert": "cert", "key": "key"}
"""buildx's name -> ours."""


def remote_instance(remote: RemoteBuilder, root: Path) -> Instance:
    """Raises ConfigError for settings that contradict each other, and for files that cannot be read."""
    problem = next(iter(problems(remote)), None)
    if problem is not None:
        key, message, hint = problem
        raise ConfigError(f"image.remote.{key}: {message}", hint=hint)
    options = {theirs: file_of(path, root) for theirs, path in _paths(remote).items()}
    for theirs, path in options.items():
        _require_readable(f"image.remote.{_FILES[theirs]}", path)
    words = [(name, str(path)) for name, path in options.items()]
    if remote.ca is not None:
        words.append(("servername", remote.server_name or host_of(remote)[0]))
    name = name_for({"address": remote.address, "options": words})
    return Instance(
        name=name,
        node=f"{name}-0",
        driver="remote",
        place=remote.address,
        patience=remote.start_timeout,
        endpoint=remote.address,
        options=tuple(words),
        environment=_environment(remote),
    )


def problems(remote: RemoteBuilder) -> list[tuple[str, str, str]]:
    """(key, message, hint) for each contradiction: what one field cannot say."""
    if found := _no_connection(remote):
        return found  # the rest is judged by the address
    given = [key for key in ("ca", "cert", "key", "server_name") if getattr(remote, key) is not None]
    if remote.address.startswith("ssh://") and given:
        found.append((given[0], "over ssh there is no TLS", "remove it; ssh has its own keys and configuration"))
    elif given and remote.ca is None:
        hint = "add ca: the PEM file of the authority that its certificate is from"
        found.append((given[0], "TLS needs ca as well", hint))
    elif remote.ca is None and not remote.insecure and not _is_this_host(remote):
        message = "without TLS sources, build secrets and registry credentials are readable on the way"
        hint = "set ca (and cert and key), use ssh://, or write insecure = true where the network is yours alone"
        found.append(("address", message, hint))
    if remote.insecure and (remote.ca is not None or remote.address.startswith("ssh://")):
        found.append(("insecure", "what is asked for is secure", "remove it"))
    if (remote.cert is None) != (remote.key is None):
        there, missing = ("cert", "key") if remote.key is None else ("key", "cert")
        found.append((there, f"is of no use without {missing}", f"add {missing}"))
    return found


def host_of(remote: RemoteBuilder) -> tuple[str, int]:
    """Host and port of a tcp address. Raises ConfigError for what no connection can be made with."""
    for key, message, hint in _no_connection(remote):
        raise ConfigError(f"image.remote.{key}: {message}", hint=hint)
    parts = urlsplit(remote.address)
    return parts.hostname or "", parts.port or 0


def _no_connection(remote: RemoteBuilder) -> list[tuple[str, str, str]]:
    """As `problems`: what is written as a host or a port is, and can be none. ssh reads its addresses itself."""
    if remote.address.startswith("ssh://"):
        return []
    found = []
    try:
        host = urlsplit(remote.address).hostname or ""
        if "[" in remote.address:
            IPv6Address(host)  # urlsplit looks at what is in brackets since Python 3.11.4 only
    except ValueError:
        return [("address", "there is no such IPv6 address", "only one of those is in brackets: tcp://[fd00::7]:1234")]
    for key, name in (("address", host), ("server_name", remote.server_name or "")):
        if not _is_name(name):
            found.append((key, "there is no such host name", "between its dots are 1 to 63 characters"))
    try:
        port = urlsplit(remote.address).port
    except ValueError:
        port = None
    if not port:
        found.append(("address", "there is no such port", "write one from 1 to 65535"))
    return found


def _is_name(name: str) -> bool:
    """Whether Python's socket and ssl can be given it: they encode names with this, and raise no OSError."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True


def _is_this_host(remote: RemoteBuilder) -> bool:
    """Whether nothing of it leaves this machine: by what is written, no name is looked up but localhost."""
    if remote.address.startswith("ssh://"):
        return True
    host = urlsplit(remote.address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _environment(remote: RemoteBuilder) -> dict[str, str]:
    """What the ssh that buildx starts goes by, beside the allow-list."""
    if not remote.address.startswith("ssh://"):
        return {}
    from shipper.processes.ssh_call import environment

    return environment()


def _paths(remote: RemoteBuilder) -> dict[str, str]:
    found = {theirs: getattr(remote, ours) for theirs, ours in _FILES.items()}
    return {theirs: path for theirs, path in found.items() if path is not None}


def _require_readable(key: str, path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise ConfigError(
            f"{key}: {path} cannot be read: {(error.strerror or str(error)).lower()}",
            hint="write its path: absolute, below ~/ or relative to shipper.toml",
        ) from error
