"""The host's part that all services share: network, state volume and proxy, made when missing and replaced when old."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from shipper.model.context import Cancellation, Reporter
from shipper.targets import Invalid, NotFound, Transient
from shipper_targets.docker.engine import first_line, translated
from shipper_targets.docker.proxy import Closed, Proxy, script_text
from shipper_targets.docker.pulling import pull
from shipper_targets.docker.render import PROXY_PORT, base_config
from shipper_targets.docker.settings import DockerSettings
from shipper_targets.docker.waiting import heard

if TYPE_CHECKING:
    from docker import DockerClient

SCHEMA = 2
"""Of the proxy container: its start script and base configuration. A lower one on a host is replaced."""

_CANDIDATES = [f"10.213.{third}.0/24" for third in range(256)]
_START_TIMEOUT = 20.0
_MAKER_TIMEOUT = 5.0
"""Seconds that a container which does not run yet is left to the run that is making it."""
_TURNS, _PAUSE = 10, 0.3
"""How often, and after how many seconds, a host is looked at again that other runs change at the same time. The engine
takes a container's name a moment before it shows the container."""
_LAST_REQUESTS = 2  # seconds for what is in flight when the proxy is replaced: until then nothing new is answered
_AT_IT = ("already in use", "already in progress")  # what the engine says when another run was faster
HOST_LABEL, _SCHEMA = "shipper.host", "shipper.proxy-schema"


class Host:
    """One namespace on one engine."""

    def __init__(
        self,
        client: DockerClient,
        own: DockerSettings,
        proxy: Proxy,
        report: Reporter | None = None,
        cancel: Cancellation | None = None,
    ) -> None:
        self._client = client
        self._own = own
        self._proxy = proxy
        self._report = report
        self._cancel = cancel
        self.network = own.namespace

    def record(self) -> dict[str, Any] | None:
        """The engine's record of the proxy container; None when there is none."""
        return self._record(self._proxy.name)

    def present(self) -> bool:
        """Whether anything of this namespace is on the engine."""
        return self.record() is not None or self._network() is not None or self._has_volume()

    def remark(self) -> str:
        """What the next write will do about the proxy besides the release; empty when it is as it should be."""
        record = self.record()
        if record is None:
            return "the proxy is not there: network, state volume and proxy will be made"
        if _schema(record) < SCHEMA:
            return "the proxy was made by an older shipper and will be replaced: about 0.5 s without an answer"
        return "" if record["State"]["Running"] else "the proxy does not run and will be started"

    def ensure(self) -> None:
        """Network, state volume and proxy are there and running. Several runs may do this at once.

        Raises Invalid when the port is taken or a newer shipper made the proxy; Transient when it does not get ready.
        """
        said = ""
        for _ in range(_TURNS):
            record = self.record()
            if record is None or _schema(record) < SCHEMA:
                self._ensure_image()
            asked = ""
            try:
                asked = self._be_there(record)
                self._wait_until_it_answers()
            except Closed as error:
                said = str(error)
                self.remove(asked)
            except NotFound as error:  # another run replaces or removes it at this moment
                said = str(error)
                time.sleep(_PAUSE)
            else:
                return
        raise Transient(f"the proxy of this host is made and removed at the same time: {first_line(said)}")

    def identity(self) -> str:
        """The engine's id of the proxy container; empty when there is none."""
        return self._identity(self._proxy.name)

    def remove(self, closed: str) -> None:
        """Proxy, network and state volume of a closed host go, when its proxy is still the one with the id `closed`.

        Any other is the new host of another run. Whoever removes the proxy itself also removes what is below it.
        """
        api = self._client.api
        record = self.record()
        if record is None or record["Id"] != closed:
            return
        network = (record["NetworkSettings"]["Networks"].get(self.network) or {}).get("NetworkID")
        try:
            with translated("remove the proxy"):
                api.remove_container(closed, force=True)
        except NotFound:
            return
        except Invalid as error:
            if not any(words in str(error) for words in _AT_IT):
                raise
            return
        self._drop(self._next)
        if network:
            with contextlib.suppress(NotFound, Invalid), translated("remove the network"):
                api.remove_network(network)
        with contextlib.suppress(NotFound, Invalid), translated("remove the state volume"):
            api.remove_volume(self._proxy.volume)

    def address(self, octet: int) -> str:
        """The fixed address with this last octet."""
        network = self._network()
        if network is None:
            raise NotFound(f"the network {self.network} is gone")
        return f"{_prefix(network['IPAM']['Config'][0]['Subnet'])}.{octet}"

    def _record(self, container: str) -> dict[str, Any] | None:
        with contextlib.suppress(NotFound), translated("look for the proxy"):
            found: dict[str, Any] = self._client.api.inspect_container(container)
            return found
        return None

    def _identity(self, container: str) -> str:
        record = self._record(container)
        return str(record["Id"]) if record else ""

    # The network

    def _network(self) -> dict[str, Any] | None:
        with translated("look for the network"):
            found = self._client.api.networks(names=[self.network])
        return next((network for network in found if network["Name"] == self.network), None)

    def _ensure_network(self) -> None:
        from docker.types import IPAMConfig, IPAMPool

        problem = "every candidate subnet is taken"
        for subnet in self._free_subnets():
            if self._network() is not None:
                return
            prefix = _prefix(subnet)
            # Automatic addresses come from the upper quarter, so that they never take a fixed one.
            pool = IPAMPool(subnet=subnet, iprange=f"{prefix}.192/26", gateway=f"{prefix}.1")
            try:
                with translated("make the network"):
                    self._client.api.create_network(
                        self.network, driver="bridge", ipam=IPAMConfig(pool_configs=[pool]), labels=self._labels()
                    )
            except Invalid as error:  # taken meanwhile, by another run or by another network
                problem = str(error)
                continue
            return
        if self._network() is None:
            raise Invalid(f"no network could be made: {problem}")

    def _free_subnets(self) -> Iterable[str]:
        from ipaddress import ip_network

        if self._own.subnet is not None:
            return [self._own.subnet]
        with translated("look at the networks"):
            records = self._client.api.networks()
        pools = [pool for record in records for pool in (record.get("IPAM") or {}).get("Config") or []]
        taken = [ip_network(pool["Subnet"], strict=False) for pool in pools if pool.get("Subnet")]
        v4 = [network for network in taken if network.version == 4]
        # Begin at a place of the namespace's own, so that two that are made at once seldom want the same.
        start = int(hashlib.sha256(self._own.namespace.encode()).hexdigest(), 16) % len(_CANDIDATES)
        ordered = [*_CANDIDATES[start:], *_CANDIDATES[:start]]
        return [subnet for subnet in ordered if not any(ip_network(subnet).overlaps(other) for other in v4)][:20]

    # The proxy

    def _has_volume(self) -> bool:
        with contextlib.suppress(NotFound), translated("look for the state volume"):
            self._client.api.inspect_volume(self._proxy.volume)
            return True
        return False

    def _be_there(self, record: dict[str, Any] | None) -> str:
        """The id of a proxy as it should be, from what is there. Raises NotFound when that is gone meanwhile."""
        if record is None:
            return self._make()
        if _schema(record) > SCHEMA:
            raise Invalid(f"{self._proxy.name} was made by a newer shipper: update this one")
        if _schema(record) < SCHEMA:
            return self._replace(record)
        if not record["State"]["Running"]:
            self._start(record["Id"], ours=False)
        return str(record["Id"])

    def _labels(self) -> dict[str, str]:
        return {HOST_LABEL: self._own.namespace, _SCHEMA: str(SCHEMA)}

    def _make(self) -> str:
        self._await_next()
        self._ensure_network()
        with translated("make the state volume"):
            self._client.api.create_volume(self._proxy.volume, labels=self._labels())
        try:
            made = self._create(self._proxy.name)
        except Invalid as error:
            if "already in use" not in str(error):
                raise
            return self._wait_for_maker()
        self._start(made, ours=True)
        return made

    def _create(self, name: str) -> str:
        from docker.types import LogConfig

        api: Any = self._client.api  # the stubs do not know the shape of a networking config
        host = api.create_host_config(
            binds=[f"{self._proxy.volume}:/state"],
            port_bindings={f"{PROXY_PORT}/tcp": (self._own.bind, self._own.port)},
            restart_policy={"Name": "unless-stopped"},
            network_mode=self.network,
            security_opt=["no-new-privileges:true"],
            log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "10m", "max-file": "3"}),
        )
        endpoint = api.create_endpoint_config(ipv4_address=self.address(2))
        with translated("make the proxy"):
            made = api.create_container(
                self._own.proxy_image,
                entrypoint=["bash", "-c", script_text("boot.sh"), "shipper-proxy"],
                command=[base_config()],
                user="0",
                name=name,
                ports=[PROXY_PORT],
                labels=self._labels(),
                stop_signal="SIGUSR1",
                host_config=host,
                networking_config=api.create_networking_config({self.network: endpoint}),
            )
        return str(made["Id"])

    def _replace(self, record: dict[str, Any]) -> str:
        """The new one is made beside the old one, so that only stop and start are without an answer.

        Raises NotFound when another run does the same at this moment: it took the old one, or the new one, away.
        """
        api = self._client.api
        self._await_next()
        new = ""
        try:
            new = self._create(self._next)
            with translated("replace the proxy"):
                api.stop(record["Id"], timeout=_LAST_REQUESTS)
                api.remove_container(record["Id"], force=True)
                api.rename(new, self._proxy.name)
        except (NotFound, Invalid) as error:
            if isinstance(error, Invalid) and not any(words in str(error) for words in _AT_IT):
                raise
            if new:
                self._drop(new)
            raise NotFound(f"another run replaces it: {error}") from error
        self._start(new, ours=True)
        return new

    @property
    def _next(self) -> str:
        return f"{self._proxy.name}-next"

    def _await_next(self) -> None:
        """Another run's replacement is waited for: then NotFound is raised, for all is new. A killed run's goes."""
        first = found = self._identity(self._next)
        check = heard(self._cancel)
        deadline = time.monotonic() + _MAKER_TIMEOUT
        while found and found == first and time.monotonic() < deadline:
            check()
            time.sleep(0.1)
            found = self._identity(self._next)
        if first and found == first:
            self._drop(first)
        elif first:
            raise NotFound("another run has replaced the proxy")

    def _drop(self, container: str) -> None:
        with contextlib.suppress(NotFound), translated("remove a proxy that never ran"):
            self._client.api.remove_container(container, force=True)

    def _ensure_image(self) -> None:
        image = self._own.proxy_image
        with contextlib.suppress(NotFound), translated("look for the proxy image"):
            self._client.images.get(image)
            return
        pull(self._client, image, self._report, self._cancel)

    def _wait_for_maker(self) -> str:
        """Another run is making the proxy; when it does not get on, it was killed, and we go on in its place."""
        check = heard(self._cancel)
        deadline = time.monotonic() + _MAKER_TIMEOUT
        record = self.record()
        while record is not None and not record["State"]["Running"] and time.monotonic() < deadline:
            check()
            time.sleep(0.1)
            record = self.record()
        if record is None:
            raise NotFound("another run made the proxy, and removed it again")
        if not record["State"]["Running"]:
            self._start(record["Id"], ours=True)
        return str(record["Id"])

    def _start(self, container: str, *, ours: bool) -> None:
        """Start it. One that we made and whose port is taken is removed again."""
        try:
            with translated("start the proxy"):
                self._client.api.start(container)
        except Invalid as error:
            if not any(words in str(error) for words in ("already allocated", "address already in use")):
                raise
            if ours:
                with contextlib.suppress(NotFound), translated("remove the proxy"):
                    self._client.api.remove_container(container, force=True)
            raise Invalid(f"port {self._own.port} of the host is taken by something else") from error

    def _wait_until_it_answers(self) -> None:
        """Raises NotFound when there is none any more, Closed when it is being removed."""
        check = heard(self._cancel)
        deadline = time.monotonic() + _START_TIMEOUT
        said = ""
        while time.monotonic() < deadline:
            check()
            try:
                if self._proxy.answers():
                    return
            except Invalid as error:
                said = str(error)
            time.sleep(0.05)
        with contextlib.suppress(NotFound), translated("read the proxy's log"):
            said = self._client.api.logs(self._proxy.name, tail=5).decode("utf-8", "replace") or said
        raise Transient(f"the proxy does not get ready: {first_line(said)}")


def _schema(record: dict[str, Any]) -> int:
    text = (record["Config"].get("Labels") or {}).get(_SCHEMA, "")
    return int(text) if text.isdigit() else 0


def _prefix(subnet: str) -> str:
    return subnet.rpartition(".")[0]
