"""One service's view of the host's proxy: reading it, and every change to it as one exec under the host's lock."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from shipper.model.context import Cancellation
from shipper.targets import Conflict, Invalid, NotFound, Transient
from shipper.targets.docker_exec import run_in
from shipper_targets.docker.engine import first_line, translated
from shipper_targets.docker.render import (
    FIRST_ADDRESS,
    LAST_ADDRESS,
    PROXY_PORT,
    SLOTS,
    State,
    helper_labels,
    servers_text,
)
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
    84: "the host's state volume cannot be written: is its disk full",
    82: "the proxy of this host is being removed",
    127: "the proxy image has no bash or flock: use the Debian variant of HAProxy",
}
_NOT_DRAINED, _CLOSED = 81, 82
_END = b"\n--\n"
"""What every script prints last (lib.sh): without it the connection broke."""
_DRAIN_PIECE = 1
_LAST_SECONDS = 3.0  # of a run that is being ended: for what comes after the drain
_WORDS = ("version", "token", "state", "record", "server", "routed")


class Closed(Transient):
    """The last service has left this host: its proxy is being removed, and whoever comes now makes a new one."""


@dataclass(frozen=True)
class Live:
    """What one service has on the host.

    `version` is "HOST VERSION EPOCH"; `weights` and `addresses` (ip:port) are as the proxy balances now. A proxy that
    does not run comes back as its files say: then they are theirs, and `running` is false. `records` are the (number,
    id) of every release whose record is on the host.
    """

    version: str
    token: str = ""
    state: State | None = None
    weights: dict[str, int] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    records: tuple[tuple[int, str], ...] = ()
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

    def __init__(self, client: DockerClient, own: DockerSettings, key: str, route: str) -> None:
        self._client = client
        self._namespace = own.namespace
        self.key = key
        self._route = route
        self.name = f"{own.namespace}-proxy"
        self.volume = f"{own.namespace}-state"

    # Reading

    def read(self) -> Live | None:
        """Files and running proxy, in one exec. A proxy that is stopped or gone: the files alone. Else None."""
        try:
            lines = self._exec("read.sh", [self.key, self._route]).splitlines()
        except Closed:
            return None
        except (NotFound, Invalid) as error:
            if not _not_running(error):
                raise
            return self._read_files()
        words = {word: [line.partition(" ")[2] for line in lines if line.startswith(word + " ")] for word in _WORDS}
        servers = [line.split() for line in words["server"]]
        return Live(
            version=words["version"][0],
            token=words["token"][0],
            state=State.model_validate_json(words["state"][0]) if words["state"] else None,
            # Neither in maintenance nor drained by hand.
            weights={name: int(weight) if int(admin) & 0b1001 == 0 else 0 for name, _, weight, admin in servers},
            addresses={name: address for name, address, _, _ in servers},
            records=_records(words["record"]),
            routed=words["routed"] != ["no"],
        )

    def records(self) -> list[str]:
        """The record of every release that the host still has, as JSON texts. The proxy need not run."""
        with self._holder() as container:
            path = f"/state/services/{self.key}/releases"
            found = files_of(self._client, container, path) if container else {}
        return [text for name, text in found.items() if name.endswith(".json")]

    def secret_key(self) -> bytes | None:
        """The host's key for secret versions; None when it has none. The proxy need not run."""
        with self._holder() as container:
            text = files_of(self._client, container, "/state/secret-key").get("secret-key") if container else None
        return bytes.fromhex(text.strip()) if text else None

    def _read_files(self) -> Live | None:
        with self._holder() as container:
            content = files_of(self._client, container, f"/state/services/{self.key}") if container else {}
            identity = files_of(self._client, container, "/state/id") if container else {}
            current = content.get(f"{self.key}/current", "")
            if not current or "id" not in identity:
                self._require_still_there(container)
                return None
        state = State.model_validate_json(content[f"{self.key}/{current}/state.json"])
        return Live(
            version=f"{identity['id'].strip()} {content[f'{self.key}/{current}/version'].strip()}",
            state=state,
            weights={name: server.weight for name, server in state.servers.items()},
            addresses={name: server.address for name, server in state.servers.items()},
            records=_records(name.rpartition("/")[2].removesuffix(".json") for name in content if "/releases/" in name),
            running=False,
        )

    def _require_still_there(self, container: str | None) -> None:
        """Of a container that is being removed nothing is read, whatever was in it. Raises Transient."""
        if container is None:
            return
        try:
            with translated("look for the proxy"):
                status = self._client.api.inspect_container(container)["State"]["Status"]
        except NotFound:
            status = "removed"
        if status in ("removing", "removed", "dead"):
            raise Transient("the proxy was replaced while it was read")

    @contextlib.contextmanager
    def _holder(self) -> Iterator[str | None]:
        """A container that has the state volume: the stopped proxy, else one that is never started."""
        api = self._client.api
        proxy = ""
        with contextlib.suppress(NotFound), translated("look for the proxy"):
            proxy = str(api.inspect_container(self.name)["Id"])
        if proxy:
            yield proxy
            return
        with translated("look for the state volume"):
            volumes = (api.volumes(filters={"name": self.volume}) or {}).get("Volumes") or []
            images = api.images()
        if not images or not any(volume["Name"] == self.volume for volume in volumes):
            yield None
            return
        with translated("read the state volume"):
            made = api.create_container(
                images[0]["Id"],
                command=["never-started"],
                labels=helper_labels(self._namespace),
                host_config=api.create_host_config(binds=[f"{self.volume}:/state:ro"], network_mode="none"),
            )
        try:
            yield made["Id"]
        finally:
            with contextlib.suppress(NotFound), translated("remove a helper container"):
                api.remove_container(made["Id"], force=True)

    # Writing: each of these is one exec under the lock, and refused when `live` or the epoch is not what counts now

    def apply(self, live: Live, epoch: int, state: State, record: tuple[str, bytes] | None = None) -> Live:
        """Write the state and tell the running proxy; what is there then.

        `record` is the name N-ID and the content of a release's record: written once, in the same exec.
        Raises Conflict when `live` is not what is there now, or `epoch` is lower than what was there.
        """
        text = json.dumps(state.model_dump(mode="json", by_alias=True), sort_keys=True)
        words = [self.key, live.version, str(epoch), state.route, text, servers_text(state)]
        if record is not None:
            # A record may be longer than a word of a command can be.
            words += [record[0], self._hand_over("/state/incoming", f"{self.key}@", record[1])]
        version = self._exec("apply.sh", words).strip().splitlines()[-1]
        weights = {name: server.weight for name, server in state.servers.items()}
        addresses = {name: server.address for name, server in state.servers.items()}
        return replace(live, version=version, state=state, weights=weights, addresses=addresses)

    def reserve(self, live: Live, epoch: int, revision: str, ours: Mapping[str, int], others: Iterable[int]) -> int:
        """The last octet of a fixed address for this revision; the same one when it has one already.

        `ours` are the octets that containers of this service have, `others` those of anybody else on the network.
        """
        held = "".join(f"{name} {octet}\n" for name, octet in ours.items())
        bounds = [str(FIRST_ADDRESS), str(LAST_ADDRESS)]
        words = [self.key, live.version, str(epoch), revision, *bounds, held, " ".join(map(str, others))]
        return int(self._exec("reserve.sh", words))

    def free(self, revisions: Sequence[str]) -> None:
        """Give addresses back. Idempotent."""
        self._exec("free.sh", list(revisions))

    def forget(self, epoch: int, records: Sequence[str]) -> None:
        """Records of releases go, by their names N-ID. Idempotent. Raises Conflict for a lower epoch."""
        self._exec("forget.sh", [self.key, str(epoch), *records])

    def make_secret_key(self) -> bytes:
        """The host's key for secret versions, made when there is none."""
        return bytes.fromhex(self._exec("key.sh", []).strip())

    def leave(self, live: Live, epoch: int) -> None:
        """The service is not behind the proxy any more. Idempotent."""
        self._exec("leave.sh", [self.key, live.version, str(epoch)])

    def close(self) -> bool:
        """The service's addresses are free; True when it was the last one: the host takes no further change."""
        return int(self._exec("close.sh", [self.key])) == 0

    # Waiting, counting and asking: no lock

    def drain(self, revisions: Sequence[str], seconds: float, cancel: Cancellation | None) -> int:
        """Wait until no request is left on these, which have no weight; how many are left after `seconds`.

        In a run that is being ended there is less time than that.
        """
        started = time.monotonic()
        while True:
            # In pieces: whoever cancels must be heard, and no call may run into its time limit.
            code, said = self.run("drain.sh", [self.key, str(_DRAIN_PIECE), *revisions])
            if code not in (0, _NOT_DRAINED):
                raise _failure(code, said)
            if code == 0 or time.monotonic() - started >= seconds or _must_end(cancel):
                return 0 if code == 0 else int(said.split()[-1])

    def counters(self) -> str:
        """What measure.sh prints. Raises Transient when the proxy does not run."""
        try:
            return self._exec("measure.sh", [self.key, self._route])
        except (NotFound, Invalid) as error:
            raise Transient(f"the proxy does not count: {error}") from error

    def ask(self, request: bytes, timeout: float, *, host: str = "127.0.0.1", port: int = PROXY_PORT) -> bytes:
        """The bytes that come back on a raw HTTP request from inside the host's network. Raises Transient."""
        name = self._hand_over("/tmp", "request-", request)  # noqa: S108 - in the container
        words = [f"/tmp/{name}", f"{max(timeout, 0.1):g}", host, str(port)]  # noqa: S108
        code, said, _ = self._run("ask.sh", words, timeout)
        if code != 0:
            raise Transient(f"no answer within {timeout:g} s" if code == 124 else _meaning(code))
        return said

    def answers(self) -> bool:
        """Whether the proxy takes commands. Raises Closed when it is being removed."""
        code, _ = self.run("alive.sh", [])
        if code == _CLOSED:
            raise Closed(_meaning(code))
        return code == 0

    def _hand_over(self, folder: str, prefix: str, content: bytes) -> str:
        """The name of a new file in the proxy's container."""
        from secrets import token_hex

        name = f"{prefix}{token_hex(8)}"
        with translated("hand a file to the proxy"):
            self._client.api.put_archive(self.name, folder, _tar(name, content))
        return name

    def _exec(self, script: str, words: Sequence[str]) -> str:
        code, said = self.run(script, words)
        if code == 76:
            raise Conflict(f"somebody else wrote: {said.strip()} is there (host, version, epoch)")
        if code == 79:
            raise Invalid(f"the route {words[3]} belongs to the service {said.strip()} on this host")
        if code != 0:
            raise _failure(code, said)
        return said

    def run(self, script: str, words: Sequence[str]) -> tuple[int, str]:
        """A script's exit status and what it printed; what it complained about when it failed in silence."""
        code, output, errors = self._run(script, words)
        said = output if output.strip() or not code else errors
        return code, said.decode("utf-8", "replace")

    def _run(self, script: str, words: Sequence[str], patience: float = 0.0) -> tuple[int, bytes, bytes]:
        program = ["bash", "-c", script_text(script), "shipper", *words]
        with translated("talk to the proxy"):
            ended = run_in(self._client, self.name, program, user="0", patience=patience)
        if not ended.code and not ended.output.endswith(_END):
            raise Transient("talk to the proxy: its answer was cut off")
        return ended.code or 0, ended.output.removesuffix(_END), ended.errors


@cache
def script_text(name: str) -> str:
    """A script with what all of them share before it."""
    here = files("shipper_targets.docker")
    return "\n".join(here.joinpath(part).read_text(encoding="utf-8") for part in ("lib.sh", name))


def _records(names: Iterable[str]) -> tuple[tuple[int, str], ...]:
    """(number, id) from the names N-ID."""
    return tuple(sorted((int(name.partition("-")[0]), name.partition("-")[2]) for name in names))


def _must_end(cancel: Cancellation | None) -> bool:
    if cancel is None or not cancel.cancelled:
        return False
    return cancel.remaining is not None and cancel.remaining < _LAST_SECONDS


def _not_running(error: Exception) -> bool:
    words = str(error)
    return isinstance(error, NotFound) or "is not running" in words or "is paused" in words or "restarting" in words


def _meaning(code: int) -> str:
    return _MEANING.get(code, f"the change ended with {code}")


def _failure(code: int, said: str) -> Transient | Invalid:
    problem = f"{_meaning(code)}: {first_line(said)}" if said.strip() else _meaning(code)
    if code == _CLOSED:
        return Closed(problem)
    return Invalid(problem) if code in (78, 84, 127) else Transient(problem)


def files_of(client: DockerClient, container: str, path: str) -> dict[str, str]:
    """Path to content of every file below `path`; a link's content is where it points. Empty when it is not there.

    Raises Transient when the container went meanwhile: nothing is known then, least of all that there is nothing.
    """
    try:
        with translated("read the state volume"):
            chunks, _ = client.api.get_archive(container, path)
            whole = b"".join(chunks)
    except NotFound as error:
        if "no such container" in str(error).lower():
            raise Transient(f"the proxy was replaced while it was read: {error}") from error
        return {}
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        return {
            member.name: member.linkname if member.issym() else _text(archive, member)
            for member in archive
            if member.isfile() or member.issym()
        }


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
