"""As whom the API server is asked, and which of its answers are its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from shipper.model import ProbeRequest, Revision
from shipper.pipeline.cancellation import RunCancellation
from shipper.targets import Denied, TargetContext
from shipper_targets import knative, kubernetes
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.asking import Asking
from shipper_targets.kubernetes.contexts import contexts, impersonated, placed
from shipper_targets.kubernetes.kinds import POD
from shipper_targets.kubernetes.settings import KubernetesSettings
from tests.unit.kubernetes.kube_rendering import settings_of

pytestmark = pytest.mark.unit

AS = {
    "as": "system:serviceaccount:shops:releaser",
    "as-uid": "6f1c",
    "as-groups": ["releasers", "readers"],
    "as-user-extra": {"example.com/team": ["shop", "ops"]},
}

LIST = {"items": [], "metadata": {"resourceVersion": "1"}}
EVENT = {"type": "BOOKMARK", "object": LIST}


class Cluster:
    """An API server that notes who asks; `status` for what goes to pods."""

    def __init__(self, status: int) -> None:
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                headers = {name: self.headers.get_all(name) or [] for name in self.headers}
                outer.asked.append((f"{self.command} {self.path}", headers))
                self.rfile.read(int(self.headers.get("content-length") or 0))
                proxied = "/proxy/" in self.path
                said = EVENT if "watch=true" in self.path else LIST
                body = b"no" if proxied else json.dumps(said).encode()
                self.send_response(status if proxied else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Cluster:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def headers(self, name: str) -> list[list[str]]:
        """Of each request."""
        return [
            next((found for key, found in headers.items() if key.lower() == name.lower()), [])
            for _, headers in self.asked
        ]


@contextmanager
def cluster(
    folder: Path, user: dict[str, Any], status: int = 200, cancel: RunCancellation | None = None
) -> Iterator[tuple[Cluster, Api]]:
    with Cluster(status) as there:
        content = {
            "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": there.url}}],
            "users": [{"name": "u", "user": user}],
        }
        (folder / "config").write_text(yaml.safe_dump(content))
        own = {"context": "prod", "namespace": "shops", "kubeconfig": str(folder / "config")}
        yield there, Api(KubernetesSettings.model_validate(own), cancel)


def test_what_a_kubeconfig_asks_for_as_another_user_is_asked_as_that_user(tmp_path: Path) -> None:
    with cluster(tmp_path, {"token": "admin", **AS}) as (there, api):
        api.list(POD)
        list(api.watch(POD, version="1"))
        api.create(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}}, dry_run=True)
    assert len(there.asked) == 3
    assert there.headers("authorization") == [["Bearer admin"]] * 3
    assert there.headers("impersonate-user") == [["system:serviceaccount:shops:releaser"]] * 3
    assert there.headers("impersonate-group") == [["releasers", "readers"]] * 3
    assert there.headers("impersonate-uid") == [["6f1c"]] * 3
    assert there.headers("impersonate-extra-example.com%2Fteam") == [["shop", "ops"]] * 3


def test_without_as_nobody_else_is_asked_for() -> None:
    assert impersonated({"token": "t", "as-groups": []}) == []


@pytest.mark.parametrize("alone", [{"as-groups": ["a"]}, {"as-uid": "1"}, {"as-user-extra": {"a": ["b"]}}], ids=str)
def test_what_would_be_dropped_without_as_is_refused(alone: dict[str, Any]) -> None:
    """Else more might be done than was allowed."""
    with pytest.raises(ValueError, match="without as"):
        impersonated({"token": "t", **alone})


@pytest.mark.parametrize("kind", [kubernetes.kind, knative.kind], ids=["kubernetes", "knative"])
def test_a_file_in_a_url_is_where_it_was_typed(kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recorded of the service, on another machine, has nothing to do with it."""
    monkeypatch.chdir(tmp_path)
    found = kind.from_url(f"{kind.kind}://prod/apps?kubeconfig=prod.yaml")
    assert found["kubeconfig"] == str(tmp_path / "prod.yaml")


def test_a_home_that_nobody_has_is_a_file_that_is_not_there() -> None:
    own = KubernetesSettings(context="prod", namespace="apps", kubeconfig="~nobody-at-all/kube")
    with pytest.raises(Denied, match="nobody-at-all"):
        contexts(own)


@pytest.mark.parametrize(
    "user",
    [
        {**AS, "as-groups": "releasers"},
        {**AS, "as-groups": [7]},
        {**AS, "as": "a\r\nImpersonate-Group: system:masters"},
        {**AS, "as-user-extra": {"team": "shop"}},
    ],
)
def test_what_kubectl_would_not_take_is_refused_and_not_left_out(user: dict[str, Any], tmp_path: Path) -> None:
    with cluster(tmp_path, {"token": "admin", **user}) as (there, api), pytest.raises(Denied, match="context prod"):
        api.list(POD)
    assert there.asked == []


def test_names_that_are_not_ascii_are_sent_as_utf_8() -> None:
    ((_, sent),) = impersonated({"as": "jürgen"})
    assert sent.encode("latin-1").decode() == "jürgen"


def plugin(folder: Path) -> dict[str, Any]:
    """One that notes each time that it is asked."""
    said = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}
    (folder / "get-token").write_text(f"#!/bin/sh\necho asked >>{folder}/asked\necho '{json.dumps(said)}'\n")
    (folder / "get-token").chmod(0o755)
    return {"exec": {"apiVersion": said["apiVersion"], "command": str(folder / "get-token")}}


def test_a_service_that_wants_a_login_is_asked_once_and_no_credentials_are_renewed(tmp_path: Path) -> None:
    pod = {"metadata": {"name": "shop-1"}, "status": {"phase": "Running", "podIP": "10.0.0.7"}}
    instances: Any = SimpleNamespace(pods=lambda _: [pod])
    revision = Revision(name="shop-1-a", release=None, number=1, state="running")
    request = ProbeRequest(method="POST", path="/private", body=b"{}", headers={"Impersonate-User": "root", "X-A": "b"})
    with cluster(tmp_path, plugin(tmp_path), status=401) as (there, api):
        answer = Asking(api, instances, "shop", 8080, lambda *_: "").probe(revision, request)
    assert answer.status == 401
    assert [asked for asked, _ in there.asked] == ["POST /api/v1/namespaces/shops/pods/shop-1:8080/proxy/private"]
    assert (tmp_path / "asked").read_text() == "asked\n"
    assert (there.headers("impersonate-user"), there.headers("x-a")) == ([[]], [["b"]])


def test_a_kubeconfig_is_beside_shipper_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert placed("kube/config", "/srv/shop") == "/srv/shop/kube/config"
    assert placed("/etc/kube", "/srv/shop") == "/etc/kube"
    assert placed("~/kube", "/srv/shop") == "/home/somebody/kube"
    assert placed(None, "/srv/shop") is None


@pytest.mark.parametrize("kind", [kubernetes.kind, knative.kind])
def test_a_target_reads_that_file_wherever_it_is_started(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = settings_of().model_copy(
        update={"service": settings_of().service.model_copy(update={"root": str(tmp_path)})}
    )
    own = {"context": "prod", "namespace": "shops", "kubeconfig": "config"}
    with cluster(tmp_path, {"token": "t"}) as (there, _):
        target = kind.connect(TargetContext(name="kube", settings=settings, own=own, secrets=None))  # type: ignore[arg-type]
        target._api.list(POD)
    assert len(there.asked) == 1
