"""The host's one proxy: made when missing, and every change to it as one exec under the host's lock."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import secrets
import tarfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from shipper.targets import Conflict, Invalid, NotFound, Transient
from shipper_targets.docker.engine import first_line, translated
from shipper_targets.docker.render import (
    FIRST_ADDRESS,
    LAST_ADDRESS,
    PROXY_PORT,
    SLOTS,
    State,
    base_config,
    servers_text,
    slot_config,
)
from shipper_targets.docker.settings import DockerSettings

if TYPE_CHECKING:
    from docker import DockerClient

ABSENT = "absent"
"""What `seen` is while there is no running proxy: the first write makes it."""

_CANDIDATES = [f"10.213.{third}.0/24" for third in range(256)]
_START_TIMEOUT = 20.0
_EXIT_MEANING = {
    75: "the host's lock is held by another change",
    77: "the proxy does not answer on its admin socket",
    78: f"the host is full: {SLOTS} services, {LAST_ADDRESS - FIRST_ADDRESS + 1} containers",
    80: "the proxy did not take the change over",
    127: "the proxy image has no bash or flock; use the Debian variant of HAProxy",
}


@dataclass(frozen=True)
class Live:
    """What one service has on the host: `version` is "VERSION EPOCH"; `weights` as the proxy balances now."""

    version: str
    token: str
    state: State | None
    weights: dict[str, int] = field(default_factory=dict)


class Proxy:
    """The proxy of one namespace, seen by one service."""

    def __init__(self, client: DockerClient, own: DockerSettings, key: str) -> None:
        self._client = client
        self._own = own
        self._key = key
        self.name = f"{own.namespace}-proxy"
        self.network = own.namespace
        self.volume = f"{own.namespace}-state"

    # Reading

    def record(self) -> dict[str, Any] | None:
        """The engine's record of the proxy container; None when there is none."""
        with contextlib.suppress(NotFound), translated("look for the proxy"):
            found: dict[str, Any] = self._client.api.inspect_container(self.name)
            return found
        return None

    def running(self) -> bool:
        """Whether the proxy answers traffic."""
        record = self.record()
        return record is not None and bool(record["State"]["Running"])

    def read(self) -> Live | None:
        """Files and running proxy, in one exec; None when the proxy is not running."""
        if not self.running():
            return None
        lines = self._exec("read.sh", [self._key]).splitlines()
        found = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines if not line.startswith("server ")}
        weights = {
            name: int(weight) if int(admin) & 0b1001 == 0 else 0  # maintenance, forced by admin or drained
            for name, weight, admin in (line.split()[1:4] for line in lines if line.startswith("server "))
        }
        state = State.model_validate_json(found["state"]) if found.get("state") else None
        return Live(found["version"], found["token"], state, weights)

    # Writing: each of these is one exec under the lock

    def apply(self, expected: str, epoch: int, state: State, *, remove: bool = False) -> None:
        """Write the state and tell the running proxy. Raises Conflict when `expected` is not what is there."""
        text = json.dumps(state.model_dump(mode="json", by_alias=True), sort_keys=True)
        words = [self._key, expected, str(epoch), state.route, text, servers_text(state)]
        self._exec("apply.sh", [*words, "remove"] if remove else words)

    def reserve(self, expected: str, revision: str, known: Iterable[str]) -> str:
        """A fixed address for this revision; the same one when it has one already."""
        words = [self._key, expected, revision, str(FIRST_ADDRESS), str(LAST_ADDRESS), " ".join(known)]
        octet = self._exec("reserve.sh", words).strip()
        return f"{self._prefix()}.{octet}"

    def free(self, revisions: Sequence[str]) -> None:
        """Give addresses back. Idempotent."""
        self._exec("free.sh", list(revisions))

    def drain(self, revisions: Sequence[str], seconds: float) -> bool:
        """Wait until no request is left on these; False when `seconds` were not enough."""
        code, said = self._run("drain.sh", [self._key, str(max(1, round(seconds))), *revisions])
        if code not in (0, 81):
            raise _failure(code, said)
        return code == 0

    def services(self) -> int:
        """How many services are on this host."""
        code, said = self._run_text("ls -1 /state/services 2>/dev/null | wc -l", [])
        if code != 0:
            raise _failure(code, said)
        return int(said.strip() or 0)

    # Making and removing it

    def ensure(self) -> None:
        """Network, state volume and proxy are there and running. Two runs may do this at once."""
        if self.running():
            return
        self._ensure_network()
        with translated("make the state volume"):
            self._client.api.create_volume(self.volume, labels=self._labels())
        record = self.record()
        if record is None:
            self._create()
        elif record["State"]["Status"] == "created":
            self._wait_for_maker()
        if not self.running():
            self._start()
        self._wait_until_it_answers()

    def remove(self) -> None:
        """The last service is gone: proxy, network and state volume go too. Idempotent."""
        api = self._client.api
        with contextlib.suppress(NotFound), translated("remove the proxy"):
            api.remove_container(self.name, force=True, v=True)
        with contextlib.suppress(NotFound), translated("remove the network"):
            api.remove_network(self.network)
        with contextlib.suppress(NotFound), translated("remove the state volume"):
            api.remove_volume(self.volume, force=True)

    def _labels(self) -> dict[str, str]:
        return {"shipper.host": self._own.namespace}

    def _prefix(self) -> str:
        with translated("look at the network"):
            record = self._client.api.inspect_network(self.network)
        subnet: str = record["IPAM"]["Config"][0]["Subnet"]
        return subnet.rpartition(".")[0]

    def _ensure_network(self) -> None:
        from docker.types import IPAMConfig, IPAMPool

        if self._has_network():
            return
        problem = ""
        for subnet in self._free_subnets():
            prefix = subnet.rpartition(".")[0]
            pool = IPAMPool(subnet=subnet, iprange=f"{prefix}.192/26", gateway=f"{prefix}.1")
            try:
                with translated("make the network"):
                    self._client.api.create_network(
                        self.network, driver="bridge", ipam=IPAMConfig(pool_configs=[pool]), labels=self._labels()
                    )
            except Invalid as error:  # taken meanwhile, by another run or by another network
                if self._has_network():
                    return
                problem = str(error)
                continue
            return
        raise Invalid(f"no network could be made: {problem or 'every candidate subnet is taken'}")

    def _has_network(self) -> bool:
        with translated("look for the network"):
            found = self._client.api.networks(names=[self.network])
        return any(network["Name"] == self.network for network in found)

    def _free_subnets(self) -> Iterable[str]:
        from ipaddress import ip_network

        if self._own.subnet is not None:
            return [self._own.subnet]
        with translated("look at the networks"):
            records = self._client.api.networks()
        taken = [
            ip_network(pool["Subnet"], strict=False)
            for record in records
            for pool in (record.get("IPAM") or {}).get("Config") or []
            if pool.get("Subnet")
        ]
        # Begin at a place of the namespace's own, so that two that are made at once seldom want the same.
        start = int(hashlib.sha256(self._own.namespace.encode()).hexdigest(), 16) % len(_CANDIDATES)
        ordered = [*_CANDIDATES[start:], *_CANDIDATES[:start]]
        v4 = [network for network in taken if network.version == 4]
        return [subnet for subnet in ordered if not any(ip_network(subnet).overlaps(other) for other in v4)][:20]

    def _create(self) -> None:
        from docker.types import LogConfig

        self._ensure_image()
        api: Any = self._client.api  # the stubs do not know the shape of a networking config
        address = f"{self._prefix()}.2"
        host = api.create_host_config(
            binds=[f"{self.volume}:/state"],
            port_bindings={f"{PROXY_PORT}/tcp": (self._own.bind, self._own.port)},
            restart_policy={"Name": "unless-stopped"},
            network_mode=self.network,
            security_opt=["no-new-privileges:true"],
            log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "10m", "max-file": "3"}),
        )
        network = api.create_networking_config({self.network: api.create_endpoint_config(ipv4_address=address)})
        try:
            with translated("make the proxy"):
                api.create_container(
                    self._own.proxy_image,
                    command=["haproxy", "-W", "-db", "-f", "/state/cfg"],
                    entrypoint=[],
                    user="0",
                    name=self.name,
                    ports=[PROXY_PORT],
                    labels=self._labels(),
                    stop_signal="SIGUSR1",
                    host_config=host,
                    networking_config=network,
                )
        except Invalid as error:
            if "already in use" not in str(error):
                raise
            self._wait_for_maker()
            return
        self._seed()

    def _ensure_image(self) -> None:
        image = self._own.proxy_image
        with contextlib.suppress(NotFound), translated("look for the proxy image"):
            self._client.images.get(image)
            return
        with translated(f"pull the proxy image {image}"):
            self._client.images.pull(image)

    def _seed(self) -> None:
        """The volume's first content; one that has content keeps it."""
        fixed = {"cfg/00-base.cfg": base_config()}
        fresh = {
            "token": secrets.token_hex(16),
            "hosts.map": "",
            **{f"cfg/slot{number:02}.cfg": slot_config(f"slot{number:02}") for number in range(SLOTS)},
        }
        known = self._file("/state/token")
        content = fixed if known else {**fixed, **fresh, "tokens.map": f"{fresh['token']} 1\n"}
        with translated("fill the state volume"):
            self._client.api.put_archive(self.name, "/state", _tar(content))

    def _file(self, path: str) -> bytes | None:
        with contextlib.suppress(NotFound), translated("read the state volume"):
            chunks, _ = self._client.api.get_archive(self.name, path)
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                member = archive.next()
                found = archive.extractfile(member) if member is not None else None
                return found.read() if found else None
        return None

    def _wait_for_maker(self) -> None:
        """Another run is making the proxy; when it does not get on, it was killed, and we go on in its place."""
        deadline = time.monotonic() + 5.0
        while time.monotonic() < deadline:
            if self.running():
                return
            time.sleep(0.1)
        self._seed()

    def _start(self) -> None:
        try:
            with translated("start the proxy"):
                self._client.api.start(self.name)
        except Invalid as error:
            if "port is already allocated" in str(error) or "address already in use" in str(error):
                with contextlib.suppress(NotFound), translated("remove the proxy"):
                    self._client.api.remove_container(self.name, force=True)
                raise Invalid(f"port {self._own.port} of the host is taken by something else") from error
            raise

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        said = ""
        while time.monotonic() < deadline:
            if self.running():
                code, said = self._run("read.sh", [self._key])
                if code == 0 and self._run_text("exec 3<>/dev/tcp/127.0.0.1/9999", [])[0] == 0:
                    return
            time.sleep(0.1)
        with translated("read the proxy's log"):
            log = self._client.api.logs(self.name, tail=5).decode("utf-8", "replace")
        raise Transient(f"the proxy does not get ready: {first_line(log or said)}")

    # One exec

    def _exec(self, script: str, words: list[str]) -> str:
        code, said = self._run(script, words)
        if code == 76:
            raise Conflict(f"somebody else wrote: version {words[1]} was seen, {said.strip()} is there")
        if code == 79:
            raise Invalid(f"the route {words[3]} belongs to the service {said.strip()} on this host")
        if code != 0:
            raise _failure(code, said)
        return said

    def _run(self, script: str, words: list[str]) -> tuple[int, str]:
        return self._run_text(_script(script), words)

    def _run_text(self, text: str, words: list[str]) -> tuple[int, str]:
        api = self._client.api
        with translated("talk to the proxy"):
            created = api.exec_create(self.name, ["bash", "-c", text, "shipper", *words])
            said = api.exec_start(created["Id"]).decode("utf-8", "replace")
            code = api.exec_inspect(created["Id"])["ExitCode"]
        return int(code if code is not None else -1), said


def _failure(code: int, said: str) -> Transient | Invalid:
    words = _EXIT_MEANING.get(code, f"the change ended with {code}")
    problem = f"{words}: {first_line(said)}" if said.strip() else words
    return Invalid(problem) if code in (78, 127) else Transient(problem)


@cache
def _script(name: str) -> str:
    return files("shipper_targets.docker").joinpath(name).read_text(encoding="utf-8")


def _tar(content: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for folder in ("cfg", "services", "addresses"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, text in content.items():
            entry = tarfile.TarInfo(name)
            data = text.encode()
            entry.size, entry.mode = len(data), 0o600 if name == "token" else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()
