"""Asking a revision, or the service as a client inside would: through the API server, which passes requests to pods.

What it changes on the way (apimachinery's util/proxy): Authorization is its own and does not arrive, Host is the pod's
address, X-Forwarded-* are added; links in HTML and Location are written for its own address, which is undone here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from shipper.model import ProbeRequest, ProbeResponse, Revision
from shipper.targets import Denied, Invalid, NotFound, Transient
from shipper_targets.kubernetes.answers import Answer
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.instances import HasPods
from shipper_targets.kubernetes.kinds import DEPLOYMENT, ENDPOINT_SLICE, POD, REPLICA_SET
from shipper_targets.kubernetes.kube_errors import error_of, is_status
from shipper_targets.kubernetes.labels import NUMBER, RELEASE, WORKLOAD
from shipper_targets.kubernetes.pods import is_ready, is_running, selector_of
from shipper_targets.kubernetes.probes import PORT_NAME
from shipper_targets.kubernetes.values import Object, at, name_of, number, objects, owner_uid, text, uid_of

SLICE_OF = "kubernetes.io/service-name"
"""Label of an EndpointSlice: the Service whose endpoints it has."""

Some = TypeVar("Some")
Ports = frozenset[tuple[str, int]]
"""(name, number) of each."""

_NOT_PASSED_ON = {"authorization", "host", "connection", "content-length", "transfer-encoding", "upgrade"}
_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Asking:
    """Needs pods/proxy with the verb of each method: get, and create for POST.

    `base` is the Service, `port` the container's as it is configured now: a revision of before may listen at another
    one, which its pods say. `revision_of(release id, number, workload)` names a revision.
    `workload` gives the Deployment of own manifests, whose Services have names of their own; else None.
    """

    def __init__(
        self,
        api: Api,
        instances: HasPods,
        base: str,
        port: int,
        revision_of: Callable[[str, int, str], str],
        workload: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._api = api
        self._instances = instances
        self._base = base
        self._port = port
        self._revision_of = revision_of
        self._workload = workload

    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """A ready pod of it, else one that runs. Raises Transient when none answers, NotFound, Denied."""
        pods = self._instances.pods(revision)
        asked = [pod for pod in pods if is_ready(pod)] or [pod for pod in pods if is_running(pod)]
        if not asked:
            raise Transient(f"{revision.name} has no pod that runs")
        pod = _any(asked)
        answer = self._passed(name_of(pod), _likely(_declared(pod), self._port) or self._port, request)
        return answer.model_copy(update={"revision": revision.name})

    def ask(self, request: ProbeRequest) -> ProbeResponse:
        """One of the Service's ready endpoints, each as likely as the other: as kube-proxy does it.

        Raises Transient when there is none, Invalid when they have several ports and none is the one to ask.
        """
        workload = self._workload()
        endpoints = self._endpoints() if workload is None else self._endpoints_of(workload)
        if not endpoints:
            raise Transient(f"no Service in front of {workload or self._base} has a ready endpoint")
        endpoint, ports = _any(endpoints)
        pod = text(endpoint, "targetRef", "name")
        port = self._port_of(ports)
        revision = self._revision(pod, text(endpoint, "targetRef", "uid"))
        answer = self._passed(pod, port, request)
        return answer.model_copy(update={"revision": revision})

    def _port_of(self, ports: Ports) -> int:
        """Of several that Services have: the container's, one for HTTP, the only one. Raises Invalid."""
        likely = _likely(ports, self._port)
        if likely is None and len({port for _, port in ports}) > 1:
            shown = ", ".join(f"{name or '(no name)'} {port}" for name, port in sorted(ports))
            raise Invalid(
                f"which port of its Services is to be asked: {shown}? Set run.port, call it http, or set manifests_url"
            )
        return likely or next((port for _, port in ports), self._port)

    def _endpoints(self) -> list[tuple[Object, Ports]]:
        slices = self._api.list(ENDPOINT_SLICE, labels=f"{SLICE_OF}={self._base}").items
        return [one for one in ready_endpoints(slices) if text(one[0], "targetRef", "kind") == "Pod"]

    def _endpoints_of(self, workload: str) -> list[tuple[Object, Ports]]:
        """Of whatever Services have this Deployment's pods."""
        selector = selector_of(self._api.get(DEPLOYMENT, workload))
        pods = {uid_of(pod) for pod in self._api.list(POD, labels=selector).items}
        endpoints = ready_endpoints(self._api.list(ENDPOINT_SLICE).items)
        return [one for one in endpoints if text(one[0], "targetRef", "uid") in pods]

    def _revision(self, pod: str, uid: str) -> str | None:
        """The revision that a pod is of: its ReplicaSet has the release from its Deployment."""
        try:
            found = self._api.get(POD, pod)
        except NotFound as error:
            raise Transient(f"pod {pod} has just gone") from error
        if uid and uid_of(found) != uid:
            raise Transient(f"pod {pod} is another one by now")
        owner = owner_uid(found)
        workload = text(found, "metadata", "labels", WORKLOAD)
        labels = f"{WORKLOAD}={workload}" if workload else ""
        sets = self._api.list(REPLICA_SET, labels=labels).items
        owning = next((one for one in sets if uid_of(one) == owner), None)
        release = at(owning, "metadata", "annotations", RELEASE)
        told = at(owning, "metadata", "annotations", NUMBER)
        if not isinstance(release, str) or not (isinstance(told, str) and told.isdigit()):
            return None
        return self._revision_of(release, int(told), workload)

    def _passed(self, pod: str, port: int, request: ProbeRequest) -> ProbeResponse:
        base = unquote(POD.path(self._api.namespace, f"{pod}:{port}", "proxy"))  # as it is written into links
        headers = {name: value for name, value in request.headers.items() if not _is_for_server(name.lower())}
        path = base + (request.path if request.path.startswith("/") else f"/{request.path}")
        answer = self._api.request(
            request.method, path, headers=headers, body=request.body, timeout=request.timeout, proxied=True
        )
        _raise_for_server(pod, request.method, answer)
        return ProbeResponse(status=answer.status, headers=_headers(answer, base), body=_body(answer, base))


def _is_for_server(header: str) -> bool:
    """What the API server would take as its own, or not pass on."""
    return header in _NOT_PASSED_ON or header.startswith("impersonate-")


def ready_endpoints(slices: Iterable[Object]) -> list[tuple[Object, Ports]]:
    """(endpoint, its ports) of every endpoint that takes requests; each once, although it may be in several slices.

    A pod is in a slice for each address family, and for each Service that selects it.
    """
    found: dict[str, tuple[Object, Ports]] = {}
    for one in slices:
        ports = _ports(objects(one, "ports"), "port")
        for endpoint in objects(one, "endpoints"):
            if at(endpoint, "conditions", "ready") is not False:
                key = text(endpoint, "targetRef", "uid") or str(at(endpoint, "addresses"))
                first, known = found.get(key, (endpoint, frozenset()))
                found[key] = first, known | ports
    return list(found.values())


def _declared(pod: Object) -> Ports:
    return _ports(
        (port for one in objects(pod, "spec", "containers") for port in objects(one, "ports")), "containerPort"
    )


def _ports(many: Iterable[Object], member: str) -> Ports:
    return frozenset((text(one, "name"), found) for one in many if (found := number(one, member)))


def _likely(ports: Ports, wanted: int) -> int | None:
    """The one that is configured, else the one that is called http, as ours is."""
    called = (port for name in (PORT_NAME, "web") for found, port in sorted(ports) if found == name)
    return wanted if wanted in {port for _, port in ports} else next(called, None)


def _any(of: Sequence[Some]) -> Some:
    return of[random.randrange(len(of))]  # noqa: S311 - a share of traffic, no secret


def _raise_for_server(pod: str, method: str, answer: Answer) -> None:
    """The API server's own refusals have kind Status and a Failure; everything else is the service's answer."""
    if answer.status < 400 or not is_status(answer.body):
        return
    error = error_of(f"ask pod {pod}", answer.status, answer.body)
    if answer.status in (404, 500, 502, 503, 504):
        raise Transient(str(error))
    if isinstance(error, Denied):
        verb = _VERBS.get(method, method.lower())
        raise Denied(f"{error} ({method} needs the verb {verb} on pods/proxy)")
    raise error


def _headers(answer: Answer, base: str) -> dict[str, str]:
    headers = dict(answer.headers)
    if "location" in headers:
        headers["location"] = _own_path(headers["location"], base)
    return headers


def _own_path(location: str, base: str) -> str:
    parts = urlsplit(location)
    if not parts.path.startswith(base):
        return location
    query = f"?{parts.query}" if parts.query else ""
    return (parts.path.removeprefix(base) or "/") + query


def _body(answer: Answer, base: str) -> bytes:
    """Links in HTML as the service wrote them."""
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return answer.body
    return answer.body.replace(base.encode(), b"")
