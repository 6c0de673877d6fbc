"""Which port of a pod is asked: that of the revision in hand, not that of the configuration of now."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shipper.model import ProbeRequest, Revision
from shipper.targets import Invalid
from shipper_targets.kubernetes.answers import Answer
from shipper_targets.kubernetes.api import Listed
from shipper_targets.kubernetes.asking import Asking
from shipper_targets.kubernetes.limits import limit_problems
from tests.unit.kubernetes.kube_objects import condition, pod
from tests.unit.kubernetes.kube_rendering import own, settings_of

pytestmark = pytest.mark.unit


class Server:
    """An API server that notes which pod and port a request is passed on to."""

    namespace = "shops"

    def __init__(self, slices: Sequence[dict[str, Any]] = ()) -> None:
        self.slices = slices
        self.asked = list[str]()

    def request(self, method: str, path: str, **_: Any) -> Answer:
        self.asked.append(path.split("/pods/")[1].split("/")[0].replace("%3A", ":"))
        return cast(Answer, SimpleNamespace(status=200, headers={}, body=b"{}"))

    def list(self, *_: Any, **__: Any) -> Listed:
        return Listed(tuple(self.slices), "1")

    def get(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"metadata": {"name": "p", "uid": "u"}}


def ready(*containers: dict[str, Any]) -> dict[str, Any]:
    return {**pod("p", conditions=[condition("Ready", "True")]), "spec": {"containers": containers}}


def listens(port: int, name: str = "http") -> dict[str, Any]:
    return {"name": f"c{port}", "ports": [{"name": name, "containerPort": port}]}


@pytest.mark.parametrize(
    ("one", "port"),
    [
        pytest.param(ready(listens(9000)), 9000, id="as configured"),
        pytest.param(ready(listens(8080)), 8080, id="a revision of before"),
        pytest.param(ready(listens(15090, "metrics"), listens(8080)), 8080, id="beside a sidecar"),
        pytest.param(ready(listens(80), listens(9000, "app")), 9000, id="behind a proxy of its own"),
        pytest.param(ready({"name": "a"}), 9000, id="that declares none"),
        pytest.param(ready(listens(9090, "metrics")), 9000, id="that declares another one only"),
    ],
)
def test_a_revision_is_asked_where_its_own_pods_listen(one: dict[str, Any], port: int) -> None:
    server = Server()
    asking = Asking(server, SimpleNamespace(pods=lambda _: [one]), "shop", 9000, lambda *_: "")  # type: ignore[arg-type]

    asking.probe(Revision(name="shop-1-a", release=None), ProbeRequest())

    assert server.asked == [f"p:{port}"]


ENDPOINT = {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "p", "uid": "u"}}


def in_a_slice(**ports: int) -> dict[str, Any]:
    listed = [{"name": name.replace("_", "-"), "port": port} for name, port in ports.items()]
    return {"ports": listed, "endpoints": [ENDPOINT]}


@pytest.mark.parametrize(
    ("slices", "port"),
    [
        pytest.param([in_a_slice(metrics=9090, http=8080)], 8080, id="the second of a Service"),
        pytest.param([in_a_slice(metrics=9090), in_a_slice(http=8080)], 8080, id="of the second Service"),
        pytest.param([in_a_slice(grpc=7000, rest=9000)], 9000, id="as configured"),
        pytest.param([in_a_slice(grpc=7000, web=3000)], 3000, id="called web"),
        pytest.param([in_a_slice(anything=7000)], 7000, id="the only one"),
        pytest.param([in_a_slice()], 9000, id="a Service without ports"),
    ],
)
def test_of_several_ports_of_services_the_right_one_is_asked(slices: list[dict[str, Any]], port: int) -> None:
    server = Server(slices)

    Asking(server, SimpleNamespace(), "shop", 9000, lambda *_: "").ask(ProbeRequest())  # type: ignore[arg-type]

    assert server.asked == [f"p:{port}"]


def test_where_no_port_is_the_right_one_that_is_said() -> None:
    server = Server([in_a_slice(grpc=7000, metrics=9090)])

    with pytest.raises(Invalid, match=r"grpc 7000, metrics 9090.*manifests_url"):
        Asking(server, SimpleNamespace(), "shop", 9000, lambda *_: "").ask(ProbeRequest())  # type: ignore[arg-type]


WITH_TOKEN = {"requests": [{"name": "predict", "path": "/", "headers": {"Authorization": "Bearer x"}}]}
INGRESS = {"ingress": {"host": "shop.example.com"}}


@pytest.mark.parametrize(
    ("strategy", "target", "smoke", "refused"),
    [
        ("rolling", {}, WITH_TOKEN, True),
        ("rolling", INGRESS, WITH_TOKEN, False),
        ("blue-green", INGRESS, WITH_TOKEN, True),
        ("blue-green", INGRESS, {"requests": [{**WITH_TOKEN["requests"][0], "verify": False}]}, False),
        ("blue-green", INGRESS, {"requests": [{"name": "predict", "headers": {"X-Key": "x"}}]}, False),
    ],
)
def test_a_request_that_would_arrive_without_its_token_is_refused_before_the_build(
    strategy: str, target: dict[str, Any], smoke: dict[str, Any], refused: bool
) -> None:
    found = limit_problems(settings_of(rollout={"strategy": strategy}, smoke=smoke), own(**target))

    assert [one.key for one in found] == (["smoke.requests.predict"] if refused else [])
