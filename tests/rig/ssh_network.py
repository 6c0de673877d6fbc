"""A cable between this machine and a process's own network, with a way to the outside.

Taken away by whoever holds it, and by a watcher when the holder is killed: interface and rules carry the holder's own
name, so nothing else is ever touched.
"""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import dataclass

from tests.rig.shell import RigError, attempt, run

_REMOVER = """
cat >/dev/null
iptables -w -t nat -D POSTROUTING $1
iptables -w -D FORWARD $2
iptables -w -D FORWARD $3
ip link delete "$4"
true
"""


@dataclass(frozen=True)
class Cable:
    """`here` and `there` are the addresses of its two ends."""

    name: str
    here: str
    there: str
    _watcher: subprocess.Popen[bytes]

    def remove(self) -> None:
        """Take it away, with its rules."""
        assert self._watcher.stdin is not None
        self._watcher.stdin.close()
        self._watcher.wait(timeout=30)


def lay(process: int) -> Cable:
    """A cable into the network of `process`, with its default route and address translation to the outside."""
    number = random.SystemRandom().randrange(1 << 14)
    prefix = f"10.217.{number >> 6}.{(number & 63) * 4}"
    base, _, last = prefix.rpartition(".")
    here, there, subnet = f"{base}.{int(last) + 1}", f"{base}.{int(last) + 2}", f"{prefix}/30"
    name = f"shrig{number}"
    comment = f"-m comment --comment {name}-of-{os.getpid()}"
    nat = f"-s {subnet} ! -o {name} {comment} -j MASQUERADE"
    leaving, coming = f"-i {name} {comment} -j ACCEPT", f"-o {name} {comment} -j ACCEPT"
    watcher = subprocess.Popen(
        ["sh", "-c", _REMOVER, "sh", nat, leaving, coming, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    cable = Cable(name, here, there, watcher)
    try:
        run(["ip", "link", "add", name, "type", "veth", "peer", "name", "outside", "netns", str(process)])
        run(["ip", "address", "add", f"{here}/30", "dev", name])
        run(["ip", "link", "set", name, "up"])
        for words in (("address", "add", f"{there}/30", "dev", "outside"), ("link", "set", "outside", "up")):
            run(_inside(process, "ip", *words))
        run(_inside(process, "ip", "route", "add", "default", "via", here))
        run(["iptables", "-w", "-t", "nat", "-A", "POSTROUTING", *nat.split()])
        run(["iptables", "-w", "-I", "FORWARD", *leaving.split()])
        run(["iptables", "-w", "-I", "FORWARD", *coming.split()])
    except RigError:
        cable.remove()
        raise
    return cable


def left_behind() -> list[str]:
    """Interfaces and rules of ours that are on this machine, for the tests of this."""
    links = attempt(["ip", "-brief", "link"]) or ""
    rules = "\n".join(attempt(["iptables", "-w", *table, "-S"]) or "" for table in ([], ["-t", "nat"]))
    return [line for line in (links + "\n" + rules).splitlines() if "shrig" in line]


def _inside(process: int, *words: str) -> list[str]:
    return ["nsenter", f"--target={process}", "--net", *words]
