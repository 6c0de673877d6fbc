"""One service's view of the host's proxy: reading it, and every change to it as one exec under the host's lock."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from shipper.targets import Conflict, Invalid, NotFound, Transient
from shipper_targets.docker.engine import first_line, translated
from shipper_targets.docker.render import FIRST_ADDRESS, LAST_ADDRESS, PROXY_PORT, SLOTS, State, servers_text
from shipper_targets.docker.settings import DockerSettings

if TYPE_CHECKING:
    from docker import DockerClient

ABSENT = "absent"
"""What `seen` is while this service has nothing on the host."""

_MEANING = {
    75: "the host's lock is held by another change",
    77: "the proxy does not answer on its admin socket",
    78: f"the host is full: {SLOTS} services, {LAST_ADDRESS - FIRST_ADDRESS + 1} containers",
    83: "connection refused",
    80: "the proxy did not take the change over",
    82: "the proxy of this host is being removed",
    127: "the proxy image has no bash or flock: use the Debian variant of HAProxy",
}
_NOT_DRAINED, _CLOSED = 81, 82
_DRAIN_PIECE = 20.0


class Closed(Transient):
    """The last service has left this host: its proxy is being removed, and whoever comes now makes a new one."""


@dataclass(frozen=True)
class Live:
    """What one service has on the host.

    `version` is "HOST VERSION EPOCH"; `weights` are as the proxy balances now. A proxy that does not run comes back
    as its files say: then the weights are theirs, and `running` is false.
    """

    version: str
    token: str = ""
    state: State | None = None
    weights: dict[str, int] = field(default_factory=dict)
    routed: bool = True
    running: bool = True

    @property
    def epoch(self) -> int:
        """The epoch of the last write."""
        return int(self.version.split()[2])

    @property
    def fresh(self) -> bool:
        """Whether this service was never written here."""
        return self.version.split()[1:] == ["0", "0"]


class Proxy:
    """The proxy of one namespace, seen by one service."""

    def __init__(self, client: DockerClient, own: DockerSettings, key: str) -> None:
        self._client = client
        self._key = key
        self.name = f"{own.namespace}-proxy"
        self.volume = f"{own.namespace}-state"

    # Reading

    def read(self) -> Live | None:
        """Files and running proxy, in one exec. A proxy that is stopped or gone: the files alone. Else None."""
        try:
            lines = self._exec("read.sh", [self._key]).splitlines()
        except Closed:
            return None
        except (NotFound, Invalid) as error:
            if not _not_running(error):
                raise
            return self._read_files()
        found = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines if not line.startswith("server ")}
        weights = {
            name: int(weight) if int(admin) & 0b1001 == 0 else 0  # neither in maintenance nor drained by hand
            for name, weight, admin in (line.split()[1:4] for line in lines if line.startswith("server "))
        }
        state = State.model_validate_json(found["state"]) if "state" in found else None
        return Live(found["version"], found["token"], state, weights, found.get("routed", "yes") == "yes")

    def _read_files(self) -> Live | None:
        with self._holder() as container:
            content = _files_of(self._client, container, f"/state/services/{self._key}") if container else {}
            identity = _files_of(self._client, container, "/state/id") if container else {}
        current = content.get(f"{self._key}/current", "")
        if not current or "id" not in identity:
            return None
        state = State.model_validate_json(content[f"{self._key}/{current}/state.json"])
        version = f"{identity['id'].strip()} {content[f'{self._key}/{current}/version'].strip()}"
        weights = {name: server.weight for name, server in state.servers.items()}
        return Live(version, state=state, weights=weights, running=False)

    @contextlib.contextmanager
    def _holder(self) -> Iterator[str | None]:
        """A container that has the state volume: the stopped proxy, else one that is never started."""
        api = self._client.api
        with contextlib.suppress(NotFound), translated("look for the proxy"):
            api.inspect_container(self.name)
            yield self.name
            return
        with translated("look for the state volume"):
            volumes = (api.volumes(filters={"name": self.volume}) or {}).get("Volumes") or []
            images = api.images()
        if not images or not any(volume["Name"] == self.volume for volume in volumes):
            yield None
            return
        with translated("read the state volume"):
            host = api.create_host_config(binds=[f"{self.volume}:/state:ro"], network_mode="none")
            made = api.create_container(images[0]["Id"], command=["never-started"], host_config=host)
        try:
            yield made["Id"]
        finally:
            with contextlib.suppress(NotFound), translated("remove a helper container"):
                api.remove_container(made["Id"], force=True)

    # Writing: each of these is one exec under the lock

    def apply(self, live: Live, epoch: int, state: State) -> None:
        """Write the state and tell the running proxy. Raises Conflict when `live` is not what is there now."""
        text = json.dumps(state.model_dump(mode="json", by_alias=True), sort_keys=True)
        self._exec("apply.sh", [self._key, live.version, str(epoch), state.route, text, servers_text(state)])

    def reserve(self, live: Live, revision: str, known: Iterable[str]) -> int:
        """The last octet of a fixed address for this revision; the same one when it has one already."""
        words = [self._key, live.version, revision, str(FIRST_ADDRESS), str(LAST_ADDRESS), " ".join(known)]
        return int(self._exec("reserve.sh", words))

    def free(self, revisions: Sequence[str]) -> None:
        """Give addresses back. Idempotent."""
        self._exec("free.sh", list(revisions))

    def leave(self) -> None:
        """The service is not behind the proxy any more. Idempotent."""
        self._exec("leave.sh", [self._key])

    def close(self) -> bool:
        """The service's addresses are free; True when it was the last one: the host takes no further change."""
        return int(self._exec("close.sh", [self._key])) == 0

    # Waiting and asking: no lock

    def drain(self, revisions: Sequence[str], seconds: float) -> bool:
        """Wait until no request is left on these, which have no weight; False when `seconds` were not enough."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            # In pieces: a long wait would run into the time limit of an API call.
            code, said = self.run("drain.sh", [self._key, str(max(1, round(min(left, _DRAIN_PIECE)))), *revisions])
            if code == 0:
                return True
            if code != _NOT_DRAINED:
                raise _failure(code, said)
        return False

    def ask(self, request: bytes, timeout: float, *, host: str = "127.0.0.1", port: int = PROXY_PORT) -> bytes:
        """The bytes that come back on a raw HTTP request from inside the host's network. Raises Transient."""
        from secrets import token_hex

        name = f"request-{token_hex(8)}"
        with translated("hand a request to the proxy"):
            self._client.api.put_archive(self.name, "/tmp", _tar(name, request))  # noqa: S108 - in the container
        words = [f"/tmp/{name}", f"{max(timeout, 0.1):g}", host, str(port)]  # noqa: S108
        code, said = self._run("ask.sh", words)
        if code != 0:
            raise Transient(f"no answer within {timeout:g} s" if code == 124 else _meaning(code))
        return said

    def answers(self) -> bool:
        """Whether the proxy takes commands. Raises Closed when it is being removed."""
        code, _ = self.run("read.sh", [self._key])
        if code == _CLOSED:
            raise Closed(_meaning(code))
        return code == 0 and self._run_text("exec 3<>/dev/tcp/127.0.0.1/9999", [])[0] == 0

    def _exec(self, script: str, words: Sequence[str]) -> str:
        code, said = self.run(script, words)
        if code == 76:
            raise Conflict(f"somebody else wrote: version {words[1]} was seen, {said.strip()} is there")
        if code == 79:
            raise Invalid(f"the route {words[3]} belongs to the service {said.strip()} on this host")
        if code != 0:
            raise _failure(code, said)
        return said

    def run(self, script: str, words: Sequence[str]) -> tuple[int, str]:
        """A script's exit status and what it printed."""
        code, said = self._run(script, words)
        return code, said.decode("utf-8", "replace")

    def _run(self, script: str, words: Sequence[str]) -> tuple[int, bytes]:
        return self._run_text(script_text(script), words)

    def _run_text(self, text: str, words: Sequence[str]) -> tuple[int, bytes]:
        api = self._client.api
        with translated("talk to the proxy"):
            created = api.exec_create(self.name, ["bash", "-c", text, "shipper", *words], user="0")
            said: bytes = api.exec_start(created["Id"])
            code = api.exec_inspect(created["Id"])["ExitCode"]
        return int(code if code is not None else -1), said


@cache
def script_text(name: str) -> str:
    """A script with what all of them share before it."""
    here = files("shipper_targets.docker")
    return "\n".join(here.joinpath(part).read_text(encoding="utf-8") for part in ("lib.sh", name))


def _not_running(error: Exception) -> bool:
    words = str(error)
    return isinstance(error, NotFound) or "is not running" in words or "is paused" in words or "restarting" in words


def _meaning(code: int) -> str:
    return _MEANING.get(code, f"the change ended with {code}")


def _failure(code: int, said: str) -> Transient | Invalid:
    problem = f"{_meaning(code)}: {first_line(said)}" if said.strip() else _meaning(code)
    if code == _CLOSED:
        return Closed(problem)
    return Invalid(problem) if code in (78, 127) else Transient(problem)


def _files_of(client: DockerClient, container: str, path: str) -> dict[str, str]:
    """Path to content of every file below `path`; a link's content is where it points. Empty when it is not there."""
    with contextlib.suppress(NotFound), translated("read the state volume"):
        chunks, _ = client.api.get_archive(container, path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            return {
                member.name: member.linkname if member.issym() else _text(archive, member)
                for member in archive
                if member.isfile() or member.issym()
            }
    return {}


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = archive.extractfile(member)
    return content.read().decode("utf-8", "replace") if content else ""


def _tar(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o600
        archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()
