"""Projects for end-to-end tests: written into a folder, released by the installed command.

    project = write_service(tmp_path / "shop", version="1")
    project = write_service(tmp_path / "shop", version="2", behaviour="crash")    # the next commit, and it is broken

Every image is `FROM python:3.11-slim` with COPY only, so that a build takes about a second and no network.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

APPS = Path(__file__).parent / "apps"
QUICK: dict[str, Any] = {"scan": {"enabled": False}, "smoke": {"enabled": False}}
"""Other tests are about what is found in an image; the golden requests are asked of what serves all the same."""

Behaviour = Literal[
    "good",
    "crash",  # exits at start with a KeyError: FEATURE_STORE_URL is not set
    "import-error",  # exits at start with a ModuleNotFoundError
    "never-ready",  # /healthz is 503 for ever
    "unhealthy",  # /healthz is 500 for ever
    "slow-start",  # /healthz is 503 for `start_seconds`, then 200
    "error",  # ready, but every other answer is 500
    "wrong-answer",  # ready, but / does not name its version
    "trips-over-bad-input",  # a malformed body is answered with 500 instead of 422
    "wrong-port",  # listens on PORT + 1
    "loopback",  # listens on 127.0.0.1 only
    "out-of-memory",  # fills the memory before it listens: give a limit
    "worker-out-of-memory",  # serves, after a second process has filled the memory: give a limit
    "ignores-sigterm",  # SIGTERM does nothing
    "network-refused",  # not ready when its own address is in `network`: shows on the target only
    "one-host",  # 400 unless asked by address, like ALLOWED_HOSTS: shows through the proxy only
]


@dataclass(frozen=True)
class Project:
    """A written project. `shipper -C folder release` releases it."""

    folder: Path
    service: str
    marker: Path | None = field(default=None)
    """For a hostile one: a file that exists as soon as anything of the project was executed on this machine."""


def write_service(
    folder: Path,
    *,
    service: str = "shop",
    version: str = "1",
    behaviour: Behaviour = "good",
    network: str = "",
    start_seconds: float = 0.0,
    settings: Mapping[str, Any] | None = None,
    golden: bool = True,
    git: bool = True,
) -> Project:
    """The fixture service with one behaviour; writing again over the same folder is the next commit.

    `network` is for "network-refused" (the target's subnet in CIDR notation), `start_seconds` for "slow-start".
    `settings` are merged over the shipper.toml below, tables with tables: `{"run": {"memory": "64MB"},
    "targets": {"local": {"kind": "docker", "port": 8123}}}`. `golden` asks GET / for this very version after the
    start, and POST /predict with a bad body. `git` commits (fixed author, fixed date per version).
    """
    shutil.copytree(APPS / "service", folder, dirs_exist_ok=True)
    says: dict[str, Any] = {"service": service, "version": version, "behaviour": behaviour}
    says |= {"network": network, "start_seconds": start_seconds}
    (folder / "behaviour.json").write_text(json.dumps(says) + "\n")
    wanted: dict[str, Any] = {"service": service, "health": {"path": "/healthz", "startup": "15s"}}
    if golden:
        wanted["smoke"] = {"requests": _golden(service, version)}
    (folder / "shipper.toml").write_text(to_toml(merged(wanted, settings or {})))
    if git:
        commit(folder, f"version {version}, {behaviour}")
    return Project(folder, service)


def write_foreign_binary(folder: Path, *, service: str = "shop", settings: Mapping[str, Any] | None = None) -> Project:
    """An image for this machine's platform whose program is for another processor: only running it shows that."""
    project = write_service(folder, service=service, version="foreign", settings=settings, golden=False, git=False)
    program = folder / "program"
    program.write_bytes(_elf_of_another_machine())
    program.chmod(0o755)
    (folder / ".dockerignore").write_text("**\n!program\n")
    (folder / "Dockerfile").write_text(
        'FROM python:3.11-slim\nCOPY program /program\nUSER 1000:1000\nCMD ["/program"]\n'
    )
    commit(folder, "a program for another processor")
    return project


def write_vulnerable(
    folder: Path,
    *,
    service: str = "shop",
    package: str = "shipper-fixture-vulnerable",
    where: Literal["image", "source"] = "image",
    settings: Mapping[str, Any] | None = None,
) -> Project:
    """A good service with an invented package of the rig's database in it (tests/rig/database.py, ADVISORIES).

    `shipper-fixture-vulnerable` is critical and has a fix, `-unfixed` has none, `-high` and `-low` are milder. In
    "image" it is installed, which only the image scan sees; in "source" a requirements.txt pins it.
    """
    project = write_service(folder, service=service, version="vulnerable", settings=settings, git=False)
    if where == "image":
        info = folder / "site-packages" / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\nSummary: A fixture.\n")
        (info / "INSTALLER").write_text("pip\n")
        (info / "RECORD").write_text("")
        _add(folder, "site-packages", "COPY site-packages/ /usr/local/lib/python3.11/site-packages/")
    else:
        (folder / "requirements.txt").write_text(f"{package}==1.0\n")
        _add(folder, "requirements.txt", "COPY requirements.txt /srv/")
    commit(folder, f"a dependency on {package}")
    return project


def write_secret(
    folder: Path,
    *,
    service: str = "shop",
    where: Literal["source", "image", "deleted-layer"] = "source",
    settings: Mapping[str, Any] | None = None,
) -> Project:
    """A good service that carries a token: in a copied file, written by a RUN, or removed again by a later layer."""
    project = write_service(folder, service=service, version="secret", settings=settings, git=False)
    token = fixture_token()
    if where == "source":
        (folder / "settings.ini").write_text(f"[github]\ntoken = {token}\n")
        _add(folder, "settings.ini", "COPY settings.ini /srv/")
    else:
        halves = f"'{token[:20]}' + '{token[20:]}'"
        _add(folder, "", f"RUN python -c \"open('/opt/settings.ini', 'w').write('token = ' + {halves})\"")
    if where == "deleted-layer":
        _add(folder, "", "RUN rm /opt/settings.ini")
    commit(folder, "a token")
    return project


def write_hostile(folder: Path, *, service: str = "shop", settings: Mapping[str, Any] | None = None) -> Project:
    """The vulnerable service in a repository that does all it can to be waved through, or to be executed.

    A trivy.yaml and ignore files that switch the scanner off, a `.env` with TRIVY_ variables, git hooks, an
    fsmonitor and a clean filter that run a program, and symlinks out of the tree. The verdict must be that of
    `write_vulnerable`, and `marker` must not exist afterwards. `hostile_environment` goes with it.
    """
    write_vulnerable(folder, service=service, settings=settings)
    quiet = "exit-code: 0\nseverity: [UNKNOWN]\nscan:\n  scanners: []\n  skip-dirs: ['**']\nignorefile: .trivyignore\n"
    (folder / "trivy.yaml").write_text(quiet)
    (folder / ".trivyignore").write_text("*\nCVE-2099-0001\nCVE-2099-0002\nDS-0002\n")
    (folder / ".trivyignore.yaml").write_text("vulnerabilities:\n  - id: CVE-2099-0001\n")
    (folder / "trivy-secret.yaml").write_text("disable-rules: [github-pat]\nallow-rules:\n  - {id: all, regex: '.*'}\n")
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in hostile_environment(folder).items()))
    _link(folder / "passwords", Path("/etc/passwd"))
    _link(folder / "everything", Path("/"))
    _link(folder / "round", Path("round"))
    (folder / ".dockerignore").write_text("")
    marker = folder.parent / f"{folder.name}.executed"
    _arm_git(folder, marker)
    return Project(folder, service, marker)


def hostile_environment(folder: Path) -> dict[str, str]:
    """Variables for the released command's own environment: the scanner must see none of them."""
    return {
        "TRIVY_SEVERITY": "UNKNOWN",
        "TRIVY_EXIT_CODE": "0",
        "TRIVY_SCANNERS": "license",
        "TRIVY_IGNOREFILE": str(folder / ".trivyignore"),
        "TRIVY_CONFIG": str(folder / "trivy.yaml"),
        "TRIVY_SKIP_DIRS": "**",
    }


def fixture_token() -> str:
    """A token in GitHub's format that was never issued; put together here so that no scanner finds it in this file."""
    return "ghp" + "_" + "".join("A1b2C3d4E5f6G7h8J9k0"[i % 20] for i in range(0, 36 * 7, 7))


def commit(folder: Path, message: str) -> None:
    """Commit everything, in a repository of the folder's own, always by the same author at the same time."""
    if not (folder / ".git").exists():
        _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on it: tables merge, everything else replaces; None removes a key."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return {key: value for key, value in result.items() if value is not None}


def to_toml(value: Mapping[str, Any], path: str = "") -> str:
    """A table as TOML: plain values first, then its tables and its arrays of tables."""
    plain = [f"{_key(key)} = {_inline(item)}\n" for key, item in value.items() if not _is_section(item)]
    text = "".join(plain)
    for key, item in value.items():
        name = f"{path}.{_key(key)}" if path else _key(key)
        if isinstance(item, Mapping):
            text += f"\n[{name}]\n" + to_toml(item, name)
        elif _is_section(item):
            text += "".join(f"\n[[{name}]]\n" + to_toml(entry, name) for entry in item)
    return text


def _golden(service: str, version: str) -> list[dict[str, Any]]:
    return [
        {"name": "version", "path": "/", "expect": {"json": {"service": service, "version": version}}},
        {
            "name": "sum",
            "method": "POST",
            "path": "/predict",
            "json": {"features": [1, 2, 3.5]},
            "expect": {"status": 200, "json": {"prediction": 6.5}},
        },
        {"name": "no features", "method": "POST", "path": "/predict", "body": "not json", "bad": True},
    ]


def _is_section(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and all(isinstance(entry, Mapping) for entry in value)
    )


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    # JSON's numbers, booleans and strings are TOML's, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _inline(key)


def _add(folder: Path, name: str, line: str) -> None:
    """One more instruction before USER, and its source let into the build context."""
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("USER ", f"{line}\nUSER ", 1))
    if name:
        with (folder / ".dockerignore").open("a") as ignore:
            ignore.write(f"!{name}\n")


def _elf_of_another_machine() -> bytes:
    """A 64-bit ELF header (Linux: include/uapi/linux/elf.h) for AArch64, or for x86-64 on an AArch64 machine."""
    machine = 62 if os.uname().machine in ("aarch64", "arm64") else 183
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    return identity + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0x400078, 64, 0, 0, 64, 56, 1, 64, 0, 0) + bytes(56)


def _arm_git(folder: Path, marker: Path) -> None:
    """Let every door that git has to executing a program lead to one that creates the marker."""
    program = folder.parent / f"{folder.name}-hook.sh"
    program.write_text(f"#!/bin/sh\ntouch '{marker}'\ncat 2>/dev/null\n")
    program.chmod(0o755)
    (folder / ".gitattributes").write_text("*.py filter=hostile diff=hostile\n")
    commit(folder, "nothing to see here")
    for hook in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman"):
        shutil.copy(program, folder / ".git" / "hooks" / hook)
    for key in ("core.fsmonitor", "filter.hostile.clean", "filter.hostile.smudge", "diff.external", "core.pager"):
        _git(folder, "config", key, str(program))
    _git(folder, "config", "diff.hostile.textconv", str(program))
    # Different from the index, so that asking git what has changed goes through the filter.
    app = folder / "app.py"
    app.write_text(app.read_text() + "\n# one more line\n")
    marker.unlink(missing_ok=True)


def _git(folder: Path, *words: str) -> None:
    fixed = {
        "GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@localhost", "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
        "GIT_COMMITTER_NAME": "Test", "GIT_COMMITTER_EMAIL": "test@localhost",
        "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
    }  # fmt: skip
    said = subprocess.run(["git", *words], cwd=folder, env=os.environ | fixed, capture_output=True, text=True)
    if said.returncode != 0:
        raise RuntimeError(f"git {' '.join(words)} failed in {folder}: {said.stderr.strip()}")


def _link(path: Path, to: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(to)
