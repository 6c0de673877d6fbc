"""Which platform a program was built for: the first bytes of an ELF file say it."""

from __future__ import annotations

HEAD_SIZE = 20
# e_machine of the ELF header, from include/uapi/linux/elf-em.h, to the engine's platform names.
_MACHINES = {
    3: "linux/386",
    21: "linux/ppc64le",
    22: "linux/s390x",
    40: "linux/arm",
    62: "linux/amd64",
    183: "linux/arm64",
    243: "linux/riscv64",
    258: "linux/loong64",
}


def elf_platform(head: bytes) -> str | None:
    """Such as "linux/arm64", from a file's first HEAD_SIZE bytes; None for a script or an unknown machine."""
    if len(head) < HEAD_SIZE or not head.startswith(b"\x7fELF"):
        return None
    machine = int.from_bytes(head[18:20], "big") if head[5] == 2 else int.from_bytes(head[18:20], "little")
    return _MACHINES.get(machine)
