"""Which requests are writes, and what each is called: the Docker engine's API, and an object store's.

A write is what can affect the place: containers, networks, volumes, archives and scripts that change something. Builds,
images and reads are none. What is not known counts as a write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, unquote

from tests.rig.killing_http import Asked

SCRIPTS = Path(__file__).resolve().parents[2] / "deploy-targets" / "shipper_targets" / "docker"
READING_SCRIPTS = frozenset({"alive.sh", "ask.sh", "drain.sh", "measure.sh", "read.sh"})
"""Scripts that change nothing on the host. Nobody but a person can tell: each was read before it came here."""

_VERSION = re.compile(r"^/v\d+(?:\.\d+)*")
_EXEC_CREATE = re.compile(r"^/containers/[^/]+/exec$")
_EXEC_START = re.compile(r"^/exec/(?P<id>[^/]+)/start$")
_PLACE = re.compile(r"^/(?:containers|networks|volumes)(?:/|$)")
_HARMLESS = re.compile(r"^/containers/[^/]+/(?:wait|attach|resize)$")
_LONG_ID = re.compile(r"(?<=/)[0-9a-f]{64}(?=/|$)")


def engine_path(asked: Asked) -> str:
    """The path without the API version in front."""
    return _VERSION.sub("", asked.url.path)


def made_exec(asked: Asked) -> str | None:
    """What an exec that is being created will run, such as "apply.sh"; None for every other request."""
    if asked.method != "POST" or not _EXEC_CREATE.match(engine_path(asked)):
        return None
    return script_of(json.loads(asked.body or b"{}").get("Cmd") or [])


def started_exec(asked: Asked) -> str | None:
    """The id of the exec that is being started; None for every other request."""
    found = _EXEC_START.match(engine_path(asked)) if asked.method == "POST" else None
    return found["id"] if found else None


def engine_write(asked: Asked) -> str | None:
    """What a write to the engine is called, such as "POST /containers/create shop-1"; None for what is none.

    Execs are not told here: what they are is known when they are made (`made_exec`).
    """
    path = engine_path(asked)
    if asked.method not in ("POST", "PUT", "DELETE") or not _PLACE.match(path):
        return None
    if _EXEC_CREATE.match(path) or _HARMLESS.match(path) or _is_request_file(asked, path):
        return None
    name = parse_qs(asked.url.query).get("name") or [str(_said(asked).get("Name") or "")]
    shown = _LONG_ID.sub(lambda found: found[0][:12], unquote(path))
    return f"{asked.method} {shown} {name[0]}".strip()


def store_write(asked: Asked) -> str | None:
    """What a write to an object store is called: method and the object's last three names; None for a read."""
    if asked.method not in ("POST", "PUT", "DELETE"):
        return None
    return f"{asked.method} {'/'.join(unquote(asked.url.path).split('/')[-3:])}"


def script_of(command: Sequence[str]) -> str:
    """The name of the script that a command of the docker target runs; the command's beginning when it is none."""
    text = command[2] if len(command) > 2 and list(command[:2]) == ["bash", "-c"] else ""
    for name, content in _scripts():
        if text.endswith(content):
            return name
    return (text or " ".join(command))[:60]


def reads_only(script: str) -> bool:
    """Whether a script of this name changes nothing."""
    return script in READING_SCRIPTS


@cache
def _scripts() -> tuple[tuple[str, str], ...]:
    """The docker target's own, the longest first: one may end like another."""
    found = ((path.name, path.read_text(encoding="utf-8")) for path in SCRIPTS.glob("*.sh") if path.name != "lib.sh")
    return tuple(sorted(found, key=lambda pair: -len(pair[1])))


def _is_request_file(asked: Asked, path: str) -> bool:
    """A request that ask.sh is about to send, handed over as a file: the same as asking."""
    in_tmp = parse_qs(asked.url.query).get("path") == ["/tmp"]
    return (
        asked.method == "PUT" and path.endswith("/archive") and in_tmp and (asked.body or b"").startswith(b"request-")
    )


def _said(asked: Asked) -> dict[str, object]:
    try:
        said = json.loads(asked.body or b"{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
