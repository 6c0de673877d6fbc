"""The two virtual environments of this repository: made when missing or out of date, otherwise left alone.

* `dev`: `.venv`, the locked development tools and shipper itself, editable. Tests and checks run in it.
* `installed`: `build/installed`, shipper as a user has it: the wheel and its locked dependencies, nothing else.

    python3 tools/venvs.py dev|installed      prints the directory of the environment's commands
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
_STAMP = ".made-from"
_SOURCES = ("shipper", "deploy-targets", "pipelines")
_METADATA = ("pyproject.toml", "README.md", "LICENSE")


class SetUpError(Exception):
    """An environment cannot be made; the message says why and what to do."""


def dev() -> Path:
    """`.venv/bin`, with the locked tools. A `.venv` that this file did not make is used as it is."""
    folder = Path(os.environ.get("SHIPPER_VENV", ROOT / ".venv"))
    locks = ("requirements-dev.txt", "requirements-build.txt")
    wanted = _digest([ROOT / name for name in (*locks, "pyproject.toml")])
    with _alone("dev"):
        if folder.exists() and not (folder / _STAMP).exists():
            _tell(f"{_short(folder)}: used as it is, it was not made by make")
        elif _stamp(folder) != wanted:
            with _making(folder, wanted):
                _pip(folder, "--require-hashes", *(word for name in locks for word in ("-r", name)))
                _pip(folder, "--no-deps", "--no-build-isolation", "--editable", ".")
    return folder / "bin"


def installed() -> Path:
    """`build/installed/bin`, where `shipper` is what `pip install .` would give."""
    folder = BUILD / "installed"
    lock = _digest([ROOT / "requirements.txt"])
    sources = _digest([*(ROOT / name for name in _METADATA), *(ROOT / name for name in _SOURCES)])
    with _alone("installed"):
        if _stamp(folder) == f"{lock} {sources}":
            return folder / "bin"
        wheel = _build_wheel()
        if _stamp(folder).split(" ")[0] == lock:
            (folder / _STAMP).write_text(lock)  # not up to date until the new wheel is in
        else:
            with _making(folder, lock):
                _pip(folder, "--require-hashes", "-r", "requirements.txt")
        _pip(folder, "--no-deps", "--no-index", "--force-reinstall", str(wheel))
        (folder / _STAMP).write_text(f"{lock} {sources}")
    return folder / "bin"


def _build_wheel() -> Path:
    """The wheel, built by the locked backend in an environment of its own."""
    backend = BUILD / "backend"
    wanted = _digest([ROOT / "requirements-build.txt"])
    if _stamp(backend) != wanted:
        with _making(backend, wanted):
            _pip(backend, "--require-hashes", "-r", "requirements-build.txt")
    there = BUILD / "wheel"
    shutil.rmtree(there, ignore_errors=True)
    words = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(there), ".")
    _run([backend / "bin" / "python", "-m", "pip", *words])
    return next(there.glob("*.whl"))


@contextmanager
def _making(folder: Path, stamp: str) -> Iterator[None]:
    """A fresh environment; its stamp is written last, so that a half-made one is made again."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this very file is what tells an older Python
        raise SetUpError(f"Python {sys.version.split()[0]} is too old: use 3.11 or later (make PYTHON=python3.11 …)")
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", folder])
    yield
    (folder / _STAMP).write_text(stamp)
    _tell(f"{_short(folder)}: made in {time.monotonic() - started:.1f} s")


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """One set-up of an environment at a time."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _pip(folder: Path, *words: str) -> None:
    _run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words])


def _run(words: Iterable[str | Path]) -> None:
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-12:]
        raise SetUpError("\n".join([f"{' '.join(command[1:5])} … failed:", *said]))


def _digest(paths: Iterable[Path]) -> str:
    """Over names and contents of files and folders, and the version of Python."""
    total = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for path in paths:
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        for file in files:
            if file.suffix != ".pyc":
                total.update(f"\0{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return total.hexdigest()


def _stamp(folder: Path) -> str:
    path = folder / _STAMP
    return path.read_text() if path.exists() else ""


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        print({"dev": dev, "installed": installed}[sys.argv[1]]())
    except SetUpError as error:
        sys.exit(str(error))
    except (IndexError, KeyError):
        sys.exit("usage: python3 tools/venvs.py dev|installed")
