"""The two public images the rig needs: pulled where a registry can be reached, else built to behave alike.

The stand-ins go to the rig's registry as well, which is the engine's mirror: `docker pull`, `FROM` and
`buildx build --pull` then find them under their public names.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from tests.rig import debian
from tests.rig.docker import docker, image_id, publish, pull, registry_has
from tests.rig.machine import Machine
from tests.rig.shell import attempt, run

BASE = "python:3.11-slim"
PROXY = "haproxy:lts"

_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_LOCAL_CAS = "/usr/local/share/ca-certificates"
_BASE_PACKAGES = ("python3", "python3-venv", "ca-certificates", "netbase", "tzdata")
_BASE_SETTINGS = (
    "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    'CMD ["python3"]',
)

# The official image's apt leaves no archives, no caches and no translations behind in a layer.
_APT_KEEPS_NOTHING = """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";"""

# A virtual environment at /usr/local puts python, pip and site-packages where the official image has
# them; the machine's certificates and mirrors are what lets a Dockerfile's `pip install` work unchanged.
_BASE_FINISH = (
    f"printf '%s\\n' {shlex.quote(_APT_KEEPS_NOTHING)} > \"$1\"/etc/apt/apt.conf.d/docker-clean",
    'chroot "$1" python3 -m venv --system-site-packages /usr/local',
    'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
    f'if [ -d {_LOCAL_CAS} ]; then cp -rL {_LOCAL_CAS}/. "$1"{_LOCAL_CAS}/; fi',
    'chroot "$1" update-ca-certificates',
    f'cp -L {_BUNDLE} "$1"{_BUNDLE}',
    'mv "$1"/etc/apt/sources.list.d/*.sources "$1"/etc/apt/sources.list.d/debian.sources',
    'rm -f "$1"/var/cache/apt/*.bin',
    'rm -rf "$1"/usr/local/bin/[Aa]ctivate* "$1"/var/log/*.log "$1"/var/cache/ldconfig/aux-cache',
)

# As the official Debian variant: uid 99, the same entry point, command and stop signal.
_PROXY_DOCKERFILE = textwrap.dedent(f"""\
    FROM {BASE}
    RUN apt-get update && apt-get install -y --no-install-recommends haproxy \\
     && rm -rf /var/lib/apt/lists/* && mkdir -p /usr/local/etc/haproxy \\
     && usermod --uid 99 haproxy && groupmod --gid 99 haproxy \\
     && chown -R haproxy:haproxy /var/lib/haproxy
    COPY --chmod=755 <<'SCRIPT' /usr/local/bin/docker-entrypoint.sh
    #!/bin/sh
    set -e
    if [ "${{1#-}}" != "$1" ]; then set -- haproxy "$@"; fi
    if [ "$1" = haproxy ]; then shift; set -- haproxy -W -db "$@"; fi
    exec "$@"
    SCRIPT
    STOPSIGNAL SIGUSR1
    USER haproxy
    WORKDIR /var/lib/haproxy
    ENTRYPOINT ["docker-entrypoint.sh"]
    CMD ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
    """)


def look_base(machine: Machine) -> str | None:
    """The base image as it is there; None when it is missing or made by an older recipe."""
    return _look(machine, BASE, _base_recipe())


def make_base(machine: Machine) -> str:
    """Have the base image in the engine, and in the registry where the rig made that."""
    return _make(machine, BASE, _base_recipe(), lambda: _import_base(machine))


def prepare_base(machine: Machine) -> None:
    """Build the base image's files while the engine is still being made."""
    if not machine.users_engine and _read(_stamp(machine, BASE)) != _base_recipe():
        prepare_root(machine)


def look_proxy(machine: Machine) -> str | None:
    """The proxy image as it is there; None when it is missing or made by an older recipe."""
    return _look(machine, PROXY, _recipe(_base_recipe(), _PROXY_DOCKERFILE))


def make_proxy(machine: Machine) -> str:
    """Have the proxy image in the engine, and in the registry where the rig made that."""
    return _make(machine, PROXY, _recipe(_base_recipe(), _PROXY_DOCKERFILE), lambda: _build_proxy(machine))


def prepare_root(machine: Machine) -> Path:
    """The archive that the base image is imported from, kept so that a second set-up is quick."""
    tar = machine.state / "base.tar"
    stamp = machine.state / "base.tar.recipe"
    if not tar.exists() or _read(stamp) != _base_recipe():
        pip = machine.state / "pip.conf"
        pip.write_text(pip_settings(attempt([sys.executable, "-m", "pip", "config", "list"]) or ""))
        finish = (*_BASE_FINISH, f'cp "{pip}" "$1"/etc/pip.conf')
        debian.build_root(tar, _BASE_PACKAGES, finish, machine.state)
        stamp.write_text(_base_recipe())
    return tar


def pip_settings(listed: str) -> str:
    """A pip.conf with this machine's mirror, read from `pip config list`, and its certificates."""
    wanted = re.compile(r"^[^.]+\.(index-url|extra-index-url|trusted-host)='(.*)'$", re.M)
    lines = [f"cert = {_BUNDLE}", *(f"{key} = {value}" for key, value in wanted.findall(listed))]
    return "[global]\n" + "".join(f"{line}\n" for line in dict.fromkeys(lines))


def _look(machine: Machine, image: str, recipe: str) -> str | None:
    if not image_id(image):
        return None
    if machine.users_engine:
        return image
    current = _read(_stamp(machine, image)) == recipe
    return f"{image}, a stand-in built here" if current and registry_has(machine, image) else None


def _make(machine: Machine, image: str, recipe: str, build: Callable[[], None]) -> str:
    if machine.users_engine:
        pull(image)
        return f"{image}, pulled"
    if _read(_stamp(machine, image)) == recipe and registry_has(machine, image):
        pull(image)
        return f"{image}, a stand-in pulled from the rig's registry"
    if not (_read(_stamp(machine, image)) == recipe and image_id(image)):
        outdated = image_id(image)
        build()
        if outdated:
            attempt(["docker", "rmi", outdated])
    publish(machine, image)
    _stamp(machine, image).write_text(recipe)
    return f"{image}, a stand-in built here"


def _import_base(machine: Machine) -> None:
    changes = [word for setting in _BASE_SETTINGS for word in ("--change", setting)]
    docker("import", *changes, prepare_root(machine), BASE)


def _build_proxy(machine: Machine) -> None:
    log = machine.state / "proxy-image.log"
    run(["docker", "buildx", "build", "--progress", "plain", "--tag", PROXY, "-"], log=log, feed=_PROXY_DOCKERFILE)


def _base_recipe() -> str:
    return _recipe(*_BASE_PACKAGES, *_BASE_SETTINGS, *_BASE_FINISH)


def _recipe(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _stamp(machine: Machine, image: str) -> Path:
    return machine.state / (image.replace(":", "-") + ".recipe")


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
