"""Asking pods that really run, through the API server: the service's answers and the server's own are told apart."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shipper.model import ProbeRequest, ProbeResponse, Revision
from shipper.targets import Denied, NotFound, Transient
from shipper_targets.kubernetes.asking import Asking
from shipper_targets.kubernetes.kinds import DEPLOYMENT, POD
from shipper_targets.kubernetes.permissions import Uses, needs, rules
from shipper_targets.kubernetes.pods import is_running
from tests.conftest import images_needed
from tests.integration.kubernetes.kube_service import KubeService
from tests.integration.kubernetes.waiting import until
from tests.rig.images import BASE
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

PORT = 8080
SERVER = """
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        asked = {"method": self.command, "path": self.path, "body": self.rfile.read(length).decode(),
                 "headers": {name.lower(): value for name, value in self.headers.items()}}
        kind, status, body, more = "application/json", 200, json.dumps(asked), {}
        if self.path == "/healthz": body = "{}"
        if self.path == "/page": kind, body = "text/html", '<a href="/next?a=1">next</a>'
        if self.path == "/moved": status, body, more = 302, "", {"Location": "/page?b=2"}
        if self.path == "/busy": status, body = 503, '{"detail": "loading"}'
        if self.path == "/missing": status, body = 404, '{"detail": "no such flower"}'
        if self.path == "/broken": os._exit(3)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Model", "iris")
        for name, value in more.items(): self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body.encode())
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer
    def log_message(self, *_): pass
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


def runs_the_server(body: dict[str, Any]) -> None:
    pod = body["spec"]["template"]["spec"]
    pod["securityContext"]["runAsUser"] = 1234
    pod["containers"][0].update(image=BASE, command=["python", "-u", "-c", SERVER])


class Shop(KubeService):
    """With a server that says what it was asked."""

    def start(self) -> Revision:
        revision = self.apply(self.release(), runs_the_server)
        assert self.follow(revision)[-1].state == "ready"
        return revision

    def asking(self) -> Asking:
        return Asking(self.api, self.instances, "shop", PORT, named)


def named(release: str, number: int, workload: str) -> str:
    return f"{workload}-{number}-{release[-6:].lower()}"


@pytest.fixture(scope="module")
def running(kube_rig: KubeRig) -> Iterator[tuple[Shop, Revision]]:
    images_needed(kube_rig)
    namespace = kube_rig.namespace()
    shop = Shop(kube_rig, namespace)
    yield shop, shop.start()
    kube_rig.drop(namespace)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_every_method_arrives_with_headers_query_and_body(running: tuple[Shop, Revision], method: str) -> None:
    shop, revision = running
    body = b"" if method == "GET" else b'{"petals": [1, 2]}'
    headers = {"X-Request": "42", "Content-Type": "application/json", "Accept": "text/plain"}

    answer = shop.asking().probe(
        revision, ProbeRequest(method=method, path="/predict?top=3&q=a%20b", headers=headers, body=body)
    )

    asked = json.loads(answer.body)
    assert (answer.status, answer.revision, answer.headers["x-model"]) == (200, revision.name, "iris")
    assert (asked["method"], asked["path"], asked["body"].encode()) == (method, "/predict?top=3&q=a%20b", body)
    assert asked["headers"]["x-request"] == "42"
    assert asked["headers"]["accept"] == "text/plain"


def test_a_head_request_has_no_body(running: tuple[Shop, Revision]) -> None:
    shop, revision = running

    answer = shop.asking().probe(revision, ProbeRequest(method="HEAD", path="/"))

    assert (answer.status, answer.body) == (200, b"")


def test_authorization_does_not_arrive_and_ours_never_leaks(running: tuple[Shop, Revision]) -> None:
    shop, revision = running

    answer = shop.asking().probe(revision, ProbeRequest(headers={"Authorization": "Bearer mine"}))

    assert "authorization" not in json.loads(answer.body)["headers"]


@pytest.mark.parametrize(("path", "status"), [("/busy", 503), ("/missing", 404)])
def test_the_services_own_errors_are_answers(running: tuple[Shop, Revision], path: str, status: int) -> None:
    shop, revision = running

    answer = shop.asking().probe(revision, ProbeRequest(path=path))

    assert (answer.status, "detail" in json.loads(answer.body)) == (status, True)


def test_links_and_redirects_are_as_the_service_wrote_them(running: tuple[Shop, Revision]) -> None:
    shop, revision = running

    page = shop.asking().probe(revision, ProbeRequest(path="/page"))
    moved = shop.asking().probe(revision, ProbeRequest(path="/moved"))

    assert page.body == b'<a href="/next?a=1">next</a>'
    assert (moved.status, moved.headers["location"]) == (302, "/page?b=2")


def test_the_service_is_asked_as_a_client_inside_would_and_says_which_revision(running: tuple[Shop, Revision]) -> None:
    shop, revision = running

    answer = _patiently(lambda: shop.asking().ask(ProbeRequest(path="/")))

    assert (answer.status, answer.revision) == (200, revision.name)


def test_own_manifests_are_asked_through_whatever_service_has_their_pods(running: tuple[Shop, Revision]) -> None:
    shop, revision = running
    asking = Asking(shop.api, shop.instances, "another-name", PORT, named, workload=lambda: "shop")

    answer = _patiently(lambda: asking.ask(ProbeRequest(path="/")))

    assert (answer.status, answer.revision) == (200, revision.name)


def test_a_revision_of_before_is_asked_where_it_listens_whatever_the_port_is_now(
    running: tuple[Shop, Revision],
) -> None:
    shop, revision = running
    asking = Asking(shop.api, shop.instances, "shop", 9000, named)

    assert asking.probe(revision, ProbeRequest(path="/")).status == 200
    assert _patiently(lambda: asking.ask(ProbeRequest(path="/"))).status == 200


def test_a_port_where_nobody_listens_is_transient(kube_rig: KubeRig, kube_namespace: str) -> None:
    images_needed(kube_rig)
    shop = Shop(kube_rig, kube_namespace)

    def elsewhere(body: dict[str, Any]) -> None:
        runs_the_server(body)
        body["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = 9

    revision = shop.apply(shop.release(), elsewhere)
    until(lambda: any(map(is_running, shop.admin.list(POD).items)))

    with pytest.raises(Transient, match="error trying to reach service"):
        shop.asking().probe(revision, ProbeRequest())


def test_a_service_without_endpoints_is_transient(running: tuple[Shop, Revision]) -> None:
    shop, _ = running

    with pytest.raises(Transient, match="no Service in front of nobody has a ready endpoint"):
        Asking(shop.api, shop.instances, "nobody", PORT, lambda *_: "").ask(ProbeRequest())


def test_a_revision_that_is_not_there_is_not_found(running: tuple[Shop, Revision]) -> None:
    shop, _ = running
    stranger = Revision(name="shop-99-abcdef", release="01M7Z6KKGHFZM5B2GX6JWMRERX")

    with pytest.raises(NotFound):
        shop.asking().probe(stranger, ProbeRequest())


def test_without_the_verb_for_its_method_a_request_is_denied_and_the_verb_named(running: tuple[Shop, Revision]) -> None:
    shop, revision = running
    given = rules(needs("verify", Uses()))
    limited = Shop(shop.rig, shop.namespace, kubeconfig=shop.rig.kubeconfig_for(shop.namespace, given))

    assert limited.asking().probe(revision, ProbeRequest(method="POST", path="/")).status == 200
    with pytest.raises(Denied, match=r"DELETE needs the verb delete on pods/proxy"):
        limited.asking().probe(revision, ProbeRequest(method="DELETE", path="/"))


def test_each_of_several_pods_is_asked_and_a_rollout_shows_both_revisions(
    kube_rig: KubeRig, kube_namespace: str
) -> None:
    """The second Deployment's pods have the first one's Service: as in the middle of a rollout."""
    shop = Shop(kube_rig, kube_namespace)
    first = shop.start()
    second = shop.release()

    def beside(body: dict[str, Any]) -> None:
        runs_the_server(body)
        body["metadata"]["name"] = "shop-beside"
        for labels in (body["spec"]["selector"]["matchLabels"], body["spec"]["template"]["metadata"]["labels"]):
            labels["twin"] = "yes"

    shop.apply(second, beside)
    until(lambda: (shop.admin.get(DEPLOYMENT, "shop-beside").get("status") or {}).get("availableReplicas") == 1)

    told = Counter(_patiently(lambda: shop.asking().ask(ProbeRequest())).revision for _ in range(40))

    assert set(told) == {first.name, f"shop-2-{second.id[-6:].lower()}"}


def _patiently(ask: Callable[[], ProbeResponse]) -> ProbeResponse:
    deadline = time.monotonic() + 20
    while True:
        try:
            return ask()
        except Transient:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
