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
_LAST_REQUESTS = 2  # seconds for what is in flight when the proxy is replaced: until then nothing new is answered
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
        with contextlib.suppress(NotFound), translated("look for the proxy"):
            found: dict[str, Any] = self._client.api.inspect_container(self._proxy.name)
            return found
        return None

    def present(self) -> bool:
        """Whether anything of this namespace is on the engine."""
        return self.record() is not None or self._network() is not None

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
        for _ in range(3):
            record = self.record()
            if record is None:
                self._make()
            elif _schema(record) > SCHEMA:
                raise Invalid(f"{self._proxy.name} was made by a newer shipper: update this one")
            elif _schema(record) < SCHEMA:
                with contextlib.suppress(NotFound):  # another run replaces it at this moment: look again
                    self._replace(record)
            elif not record["State"]["Running"]:
                self._start(record["Id"], ours=False)
            try:
                self._wait_until_it_answers()
            except Closed:
                self.remove()
                continue
            return
        raise Transient("the proxy of this host is made and removed at the same time")

    def remove(self) -> None:
        """Proxy, network and state volume of a closed host go; a new one that somebody made meanwhile stays."""
        api = self._client.api
        record, network = self.record(), self._network()
        if record is not None:
            with contextlib.suppress(NotFound), translated("remove the proxy"):
                api.remove_container(record["Id"], force=True)
        if network is not None:
            with contextlib.suppress(NotFound, Invalid), translated("remove the network"):
                api.remove_network(network["Id"])
        with contextlib.suppress(NotFound, Invalid), translated("remove the state volume"):
            api.remove_volume(self._proxy.volume)

    def address(self, octet: int) -> str:
        """The fixed address with this last octet."""
        network = self._network()
        if network is None:
            raise NotFound(f"the network {self.network} is gone")
        return f"{_prefix(network['IPAM']['Config'][0]['Subnet'])}.{octet}"

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

    def _labels(self) -> dict[str, str]:
        return {HOST_LABEL: self._own.namespace, _SCHEMA: str(SCHEMA)}

    def _make(self) -> None:
        self._ensure_image()
        self._drop_next()
        self._ensure_network()
        with translated("make the state volume"):
            self._client.api.create_volume(self._proxy.volume, labels=self._labels())
        try:
            made = self._create(self._proxy.name)
        except Invalid as error:
            if "already in use" not in str(error):
                raise
            self._wait_for_maker()
            return
        self._start(made, ours=True)

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

    def _replace(self, record: dict[str, Any]) -> None:
        """The new one is made beside the old one, so that only stop and start are without an answer."""
        api = self._client.api
        self._ensure_image()
        self._drop_next()
        new = self._create(self._next)
        with translated("replace the proxy"):
            api.stop(record["Id"], timeout=_LAST_REQUESTS)
            api.remove_container(record["Id"], force=True)
            api.rename(new, self._proxy.name)
        self._start(new, ours=True)

    @property
    def _next(self) -> str:
        return f"{self._proxy.name}-next"

    def _drop_next(self) -> None:
        """What a killed run left of a replacement."""
        with contextlib.suppress(NotFound), translated("remove a proxy that never ran"):
            self._client.api.remove_container(self._next, force=True)

    def _ensure_image(self) -> None:
        image = self._own.proxy_image
        with contextlib.suppress(NotFound), translated("look for the proxy image"):
            self._client.images.get(image)
            return
        pull(self._client, image, self._report, self._cancel)

    def _wait_for_maker(self) -> None:
        """Another run is making the proxy; when it does not get on, it was killed, and we go on in its place."""
        check = heard(self._cancel)
        deadline = time.monotonic() + _MAKER_TIMEOUT
        record = self.record()
        while record is not None and not record["State"]["Running"] and time.monotonic() < deadline:
            check()
            time.sleep(0.1)
            record = self.record()
        if record is not None and not record["State"]["Running"]:
            self._start(record["Id"], ours=True)

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
        check = heard(self._cancel)
        deadline = time.monotonic() + _START_TIMEOUT
        said = ""
        while time.monotonic() < deadline:
            check()
            try:
                if self._proxy.answers():
                    return
            except (Invalid, NotFound) as error:
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
