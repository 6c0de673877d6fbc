"""Pure: from a release and settings to names, labels, the proxy's configuration and the plan's lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field

from shipper.model import Address, Change, Noun, Observation, Plan, Release, Settings, Stamp
from shipper.model.json_text import parse_json
from shipper.targets import configuration_changes
from shipper_targets.docker.settings import DockerSettings

SLOTS = 64
"""Services on one host. Backends are declared beforehand: adding one at run time needs a reload in HAProxy 2.6."""

PROXY_PORT = 8080
FIRST_ADDRESS, LAST_ADDRESS = 10, 191
"""Last octets of fixed addresses; automatic ones come from .192 up, so that they never collide."""

LABEL = "shipper."

NO_SUCH_REVISION = b"shipper: no such revision"
PINNED = (NO_SUCH_REVISION, b"shipper: nothing listens there")
"""How the proxy's own answers to a pinned request begin."""


class Server(Noun):
    """A revision behind the proxy."""

    address: str = Field(description="ip:port, fixed for the container's life.")
    weight: int = Field(default=0, description="Percent of the traffic.")
    route: str = Field(default="", description="The host name that its release asked for.")
    served: bool = Field(default=False, description="Whether it ever had traffic: then it is stopped with grace.")
    adopted: bool = Field(default=False, description="Somebody else put it there before our first release: #0.")


class State(Noun):
    """The service's state file in the host's state volume."""

    schema_: int = Field(default=1, alias="schema")
    route: str = Field(description="The host name that routes here: it changes with the traffic, not before.")
    stamp: Stamp = Field(default_factory=Stamp)
    servers: dict[str, Server] = Field(default_factory=dict)

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


def key_of(settings: Settings) -> str:
    """The service's name on the host: two environments of one service do not collide."""
    service = settings.service
    return service.service if service.environment == "dev" else f"{service.service}.{service.environment}"


def route_of(settings: Settings, own: DockerSettings) -> str:
    """The host name that routes to this service."""
    if own.route:
        return own.route
    service = settings.service
    prefix = "" if service.environment == "dev" else f"{service.environment}."
    return f"{prefix}{service.service}.localhost"


def address_of(own: DockerSettings, route: str, machine: str | None = None) -> Address:
    """Where the service answers. A proxy on another machine's loopback can be reached there only.

    `machine` is the engine's, as it was found: an address in the settings may be a name of the user's own for it, and
    without one the environment says where the engine is.
    """
    from urllib.parse import urlsplit

    remote = urlsplit(own.host or "")
    machine = machine or (remote.hostname if remote.scheme in ("ssh", "tcp", "http", "https") else None)
    everywhere = own.bind == "0.0.0.0"  # noqa: S104 - compared, not bound
    near = (machine or "127.0.0.1") if everywhere else own.bind
    reach = "public" if everywhere else "internal" if machine else "local"
    return Address.model_validate({"url": f"http://{near}:{own.port}", "host": route, "reach": reach})


def revision_name(release: Release) -> str:
    """Such as "shop-4-7k2m9q": readable, and the same for the same release id."""
    return revision_named(release.settings, release.number, release.id)


def revision_named(settings: Settings, number: int, release_id: str) -> str:
    """The same, when no more is known of a release."""
    return f"{prefix_of(settings)}-{number}-{release_id[-6:].lower()}"


def prefix_of(settings: Settings) -> str:
    service = settings.service
    return service.service if service.environment == "dev" else f"{service.service}-{service.environment}"


def labels_of(release: Release, own: DockerSettings, target: str) -> dict[str, str]:
    """The per-release record on this platform: immutable, on the container itself."""
    service = release.settings.service
    values = {
        "namespace": own.namespace,
        "service": service.service,
        "environment": service.environment,
        "target": target,
        "release": release.id,
        "number": str(release.number),
        "fingerprint": release.fingerprint,
        "revision": revision_name(release),
        "config-digest": release.main.config_digest,
        "image": release.main.reference,
        "manifest-digest": release.main.manifest_digest or "",
        "platform": release.main.platform,
        "root": release.settings.service.root,
        "route": route_of(release.settings, own),
        "commit": release.commit or "",
        "created": f"{release.created:.3f}",
        "runtime": json.dumps(release.settings.runtime(), sort_keys=True),
        "secrets": json.dumps(release.secret_versions, sort_keys=True),
    }
    return {LABEL + name: value for name, value in values.items()}


def shifted(state: State, weights: Mapping[str, int]) -> State:
    """The state with this traffic, in percent; who is not named gets none. The route follows the most of it."""
    servers = {
        name: server.model_copy(
            update={"weight": weights.get(name, 0), "served": server.served or weights.get(name, 0) > 0}
        )
        for name, server in state.servers.items()
    }
    main = max(servers, key=lambda name: servers[name].weight, default="")
    route = servers[main].route if main and servers[main].weight else ""
    return state.model_copy(update={"servers": servers, "route": route or state.route})


def helper_labels(namespace: str) -> dict[str, str]:
    """Of a container that is never started: it only holds a volume while we read or write there."""
    return {LABEL + "namespace": namespace, LABEL + "helper": "yes"}


def servers_text(state: State) -> str:
    """What the apply script reads: a line `name address weight` for each server."""
    return "".join(f"{name} {server.address} {server.weight}\n" for name, server in sorted(state.servers.items()))


def base_config() -> str:
    """The proxy's fixed part, measured on HAProxy 2.6 and 3.0 (shared facts on HAProxy, sections 1 to 4).

    No health checks here: shipper decides when a revision gets traffic, and a check that times out under load
    would take the only server away. Connection failures are retried, requests that change something never.
    A pinned request (our own, with the host's token) goes to that revision's address and to nobody else, is not
    tried again, and is not counted: an unknown pin is 404, a revision that does not listen 503 at once.
    """
    return _BASE


_BASE = """\
global
  log stdout format raw local0 warning
  maxconn 4000
  user haproxy
  group haproxy
  stats socket ipv4@127.0.0.1:9999 level admin
  stats timeout 2m
  hard-stop-after 60s
defaults
  mode http
  log global
  timeout connect 2s
  timeout client 300s
  timeout server 300s
  timeout http-request 30s
  timeout http-keep-alive 60s
  timeout tunnel 1h
  option redispatch
  option http-server-close
  retries 5
  retry-on conn-failure empty-response
  http-error status 503 content-type text/plain hdr Retry-After 5 \
lf-string "shipper: no revision answers for host %[var(txn.h)]\\n"
frontend services
  bind :8080
  acl counted srv_name -m found
  acl asks_for_one var(txn.pin) -m found
  acl pinned var(txn.at) -m found
  log-format "%ci %HM %HU %ST %Tr %Ta %b/%[srv_name] %tsc"
  http-request set-var(txn.t0) date(0,ms)
  http-request set-var(txn.h) req.hdr(host),host_only,lower
  http-request set-var(txn.be) var(txn.h),map(/state/hosts.map)
  http-request set-var(txn.be) str(_default),map(/state/hosts.map,unrouted) if !{ var(txn.be) -m found }
  http-request set-var(txn.pin) req.hdr(x-shipper-pin) if { req.hdr(x-shipper-token),map(/state/tokens.map) -m found }
  http-request set-var(txn.at) var(txn.pin),map(/state/pins.map) if asks_for_one
  http-request return status 404 content-type text/plain string "shipper: no such revision" if asks_for_one !pinned
  http-request del-header X-Shipper-Pin
  http-request del-header X-Shipper-Token
  http-request disable-l7-retry if !METH_GET !{ method HEAD }
  http-request set-header X-Forwarded-Proto http unless { req.hdr(x-forwarded-proto) -m found }
  option forwardfor if-none
  use_backend pinned if pinned
  use_backend %[var(txn.be)]
  default_backend unrouted
  http-response set-var(txn.dt) date(0,ms),sub(txn.t0)
  http-response set-var(txn.srv) srv_name
  http-response set-var(txn.key) be_name,concat(/,txn.srv,)
  http-response track-sc0 var(txn.key) table latency if counted !pinned
  http-response sc-inc-gpc(0,0) if counted !pinned
  http-response sc-inc-gpc(1,0) if { status ge 500 } !pinned
  http-response sc-inc-gpc(2,0) if { var(txn.dt) -m int le 10 } !pinned
  http-response sc-inc-gpc(3,0) if { var(txn.dt) -m int le 50 } !pinned
  http-response sc-inc-gpc(4,0) if { var(txn.dt) -m int le 100 } !pinned
  http-response sc-inc-gpc(5,0) if { var(txn.dt) -m int le 250 } !pinned
  http-response sc-inc-gpc(6,0) if { var(txn.dt) -m int le 1000 } !pinned
  http-response sc-inc-gpc(7,0) if { var(txn.dt) -m int le 2500 } !pinned
  http-response del-header X-Shipper-Revision
  http-response set-header X-Shipper-Revision %[srv_name] if counted !pinned
  http-response set-header X-Shipper-Revision %[var(txn.pin)] if counted pinned
backend latency
  stick-table type string len 128 size 4k expire 24h store gpc(8)
backend pinned
  no option redispatch
  retries 0
  http-reuse never
  option httpclose
  http-error status 503 content-type text/plain string "shipper: nothing listens there"
  http-request set-dst var(txn.at),field(1,:)
  http-request set-dst-port var(txn.at),field(2,:)
  server direct 0.0.0.0:0
backend unrouted
  http-request return status 404 content-type text/plain lf-string "shipper: no service for host %[var(txn.h)]\\n"
"""


def plan_of(
    release: Release,
    observation: Observation,
    serving: Mapping[str, str] | None,
    own: DockerSettings,
    remarks: tuple[str, ...] = (),
) -> Plan:
    """The difference between what serves (its labels, None when nothing does) and the release."""
    wanted = _described(release.settings.runtime(), release.secret_versions, route_of(release.settings, own))
    image = release.main.reference or "to be built"
    if serving is None:
        changes = [
            Change(action="create", subject="revision", after=revision_name(release)),
            Change(action="create", subject="image", after=image),
            *configuration_changes({}, wanted),
        ]
        return Plan(summary="a first release", changes=tuple(changes), remarks=remarks)
    found = _described(
        parse_json(serving.get(LABEL + "runtime", "{}")),
        parse_json(serving.get(LABEL + "secrets", "{}")),
        serving.get(LABEL + "route", ""),
    )
    same = serving.get(LABEL + "config-digest") == release.main.config_digest
    changes = [
        Change.model_validate(
            {
                "action": "keep" if same else "change",
                "subject": "image",
                "before": serving.get(LABEL + "image", ""),
                "after": image,
            }
        ),
        *configuration_changes(found, wanted),
    ]
    if all(change.action == "keep" for change in changes):
        return Plan(summary="nothing to change, if the image is the same", changes=tuple(changes), remarks=remarks)
    main = observation.main
    changes.append(
        Change(action="shift", subject="traffic", before=main.name if main else "", after=revision_name(release))
    )
    return Plan(summary="a new revision", changes=tuple(changes), remarks=remarks)


def _described(runtime: Mapping[str, Any], secrets: Mapping[str, str], route: str) -> dict[str, Any]:
    """What a plan compares; of secrets the versions, which say nothing about the values."""
    sections = {name: runtime.get(name, {}) for name in ("run", "scale", "health")}
    versions = {f"{name} (version)": version[:12] for name, version in secrets.items()}
    run = {key: value for key, value in sections["run"].items() if key != "secrets"}
    return {**sections, "run": {**run, "secrets": versions}, "route": route}


def weights_in_percent(servers: Mapping[str, int]) -> dict[str, int]:
    """Runtime weights as percent of the traffic, summing to 100 (largest remainder)."""
    total = sum(servers.values())
    if total == 0:
        return {}
    shares = {name: weight * 100 / total for name, weight in servers.items() if weight}
    whole = {name: int(share) for name, share in shares.items()}
    for name in sorted(shares, key=lambda name: whole[name] - shares[name])[: 100 - sum(whole.values())]:
        whole[name] += 1
    return whole
