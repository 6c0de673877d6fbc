"""Debian packages and a Debian root file system, both from the mirrors this machine already uses.

Packages come through apt lists of the rig's own: nothing in /etc/apt changes, and a source that
cannot be read breaks apt for nobody else.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.rig.machine import is_root
from tests.rig.shell import RigError, attempt, run

ENGINE_SUITE = "trixie"
"""The release with an engine (26.1), buildx and compose that are new enough; for these packages only."""

_APT = Path("/etc/apt")
_DEFAULT_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_POLICY = Path("/usr/sbin/policy-rc.d")
_one_apt_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Archive:
    """One of the machine's Debian sources: a mirror and the suite that is taken from it."""

    mirror: str
    suite: str

    def stanza(self) -> str:
        """The source as apt reads it."""
        return f"Types: deb\nURIs: {self.mirror}\nSuites: {self.suite}\nComponents: main\nSigned-By: {_keyring()}\n"


def install(packages: Sequence[str], folder: Path) -> None:
    """Install packages (`name` or `name/suite`); apt's lists and log for it are kept in `folder`."""
    if not is_root():
        raise RigError(f"the packages {', '.join(packages)} are missing, and installing them needs root")
    with _one_apt_at_a_time, _no_service_starts():
        settings = {"APT_CONFIG": str(_own_apt(folder)), "DEBIAN_FRONTEND": "noninteractive"}
        quiet = ["-qq", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]
        run(
            ["apt-get", *quiet, "install", "--no-install-recommends", *packages],
            log=folder / "apt.log",
            env=settings,
        )


def build_root(tar: Path, packages: Sequence[str], finish: Sequence[str], folder: Path) -> None:
    """Write a minimal Debian with `packages` to `tar`; `finish` are shell lines run with $1 = its root."""
    if shutil.which("mmdebstrap") is None:
        install(["mmdebstrap"], folder / "apt")
    part = tar.with_suffix(".part")
    sources = folder / "debian.sources"
    sources.write_text("\n".join(archive.stanza() for archive in archives()))
    slim = ["path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*"]
    slim += ["path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright"]
    run(
        [
            *("mmdebstrap", "--mode=root", "--format=tar", "--variant=minbase"),
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
            "--include=" + ",".join(["usr-is-merged", *packages]),
            *(f"--aptopt={path}" for path in local_apt_settings()),
            *(f"--dpkgopt={option}" for option in slim),
            *(f"--customize-hook={line}" for line in finish),
            *(codename(), part, sources),
        ],
        log=folder / "root.log",
    )
    part.rename(tar)


def codename() -> str:
    """The name of this machine's Debian release, such as bookworm."""
    release = Path("/etc/os-release")
    found = re.search(r"^VERSION_CODENAME=(\S+)", release.read_text() if release.exists() else "", re.M)
    if found is None or shutil.which("apt-get") is None:
        raise RigError("the rig can make an engine on Debian only: start Docker on this machine, then try again")
    return found[1]


@cache
def archives() -> tuple[Archive, ...]:
    """This machine's own Debian archives: the release, its updates and its security fixes."""
    found = _listed_archives()
    if not found and is_root():  # apt tells them only when it has read them once
        run(["apt-get", "-qq", "update"])
        found = _listed_archives()
    if not any(archive.suite == codename() for archive in found):
        raise RigError(f"the apt sources of this machine name no mirror for {codename()} main")
    return found


def _listed_archives() -> tuple[Archive, ...]:
    form = ["--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    wanted = {codename(), f"{codename()}-updates", f"{codename()}-security"}
    rows = [line.split() for line in run(["apt-get", "indextargets", *form]).splitlines()]
    found = [Archive(row[0], row[1]) for row in rows if len(row) == 3 and row[1] in wanted and row[2] == "main"]
    return tuple(dict.fromkeys(found))


def local_apt_settings() -> list[Path]:
    """The apt settings that somebody gave this machine by hand: those no package brought."""
    return [path for path in sorted((_APT / "apt.conf.d").glob("99*")) if not _from_a_package(path)]


def _from_a_package(path: Path) -> bool:
    return attempt(["dpkg-query", "-S", path]) is not None


@cache
def _own_apt(folder: Path) -> Path:
    """Set up apt lists of the rig's own: this machine's archives plus the engine's suite, pinned low."""
    for name in ("sources", "preferences", "lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    main = next(archive for archive in archives() if archive.suite == codename())
    every = dict.fromkeys([*archives(), Archive(main.mirror, ENGINE_SUITE)])
    (folder / "sources" / "rig.sources").write_text("\n".join(archive.stanza() for archive in every))
    pin = f"Package: *\nPin: release n={ENGINE_SUITE}\nPin-Priority: 100\n"
    (folder / "preferences" / "rig").write_text(pin if codename() != ENGINE_SUITE else "")
    settings = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": folder / "sources",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": folder / "preferences",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache::Archives": folder / "archives",
        "Dir::Cache::PkgCache": "",
        "Dir::Cache::SrcPkgCache": "",
        "Acquire::Languages": "none",
    }
    config = folder / "apt.conf"
    config.write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()))
    run(["apt-get", "-qq", "update"], log=folder / "apt.log", env={"APT_CONFIG": str(config)})
    return config


@cache
def _keyring() -> str:
    """The key file that this machine's sources are checked with, or Debian's own."""
    places = [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))]
    for place in (place for place in places if place.is_file()):
        for line in place.read_text(errors="replace").splitlines():
            found = re.match(r"Signed-By:\s*(/\S+)|deb .*signed-by=(/[^] ]+)", line)
            if found and codename() in place.read_text(errors="replace"):
                return found[1] or found[2]
    return str(_DEFAULT_KEYRING)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """A package's installation must not start a daemon by itself; a policy that is there stays there."""
    ours = not _POLICY.exists()
    if ours:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            _POLICY.unlink(missing_ok=True)
