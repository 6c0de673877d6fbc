"""For which platform a candidate's program was built, and whether it runs under emulation."""

from __future__ import annotations

from pathlib import PurePosixPath

from shipper.smoke.candidate import Candidate
from shipper.smoke.inside import read_start
from shipper.targets.elf import HEAD_SIZE, elf_platform

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UNAME = {
    "x86_64": "linux/amd64", "aarch64": "linux/arm64", "armv7l": "linux/arm/v7", "i686": "linux/386",
    "ppc64le": "linux/ppc64le", "s390x": "linux/s390x", "riscv64": "linux/riscv64",
}  # fmt: skip


def program_platform(candidate: Candidate) -> str | None:
    """What the program that the container starts was built for; None for a script, or when it cannot be found."""
    record = candidate.inspect()
    variables = dict(entry.partition("=")[::2] for entry in record["Config"].get("Env") or [])
    home = record["Config"].get("WorkingDir") or "/"
    for place in _places(record["Path"], variables.get("PATH", _DEFAULT_PATH), home):
        head = read_start(candidate.client, candidate.name, place, HEAD_SIZE)
        if head is not None:
            return elf_platform(head)
    return None


def running_platform(candidate: Candidate) -> str | None:
    """What a program inside sees as its machine; None when the image has no `uname`."""
    return _UNAME.get((candidate.execute(["uname", "-m"]) or "").strip())


def _places(program: str, path: str, home: str) -> list[str]:
    if "/" in program:
        return [str(PurePosixPath(home, program))]
    return [str(PurePosixPath(folder, program)) for folder in path.split(":") if folder.startswith("/")]
