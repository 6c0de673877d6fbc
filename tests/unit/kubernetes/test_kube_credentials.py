"""Credentials that cannot be used are refused (32) and never printed; a plugin is asked once by all who wait for it."""

from __future__ import annotations

import base64
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import Interrupted
from shipper.pipeline.cancellation import RunCancellation
from shipper.rollout.platform_errors import not_written
from shipper.targets import Denied
from shipper_targets.kubernetes import credentials
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.clients import Connection
from shipper_targets.kubernetes.kinds import POD
from shipper_targets.kubernetes.parallel import at_once
from tests.unit.kubernetes.test_kube_contexts import own, write
from tests.unit.kubernetes.test_kube_who_asks import cluster

pytestmark = pytest.mark.unit

V1 = "client.authentication.k8s.io/v1"


def plugin(folder: Path, script: str) -> dict[str, Any]:
    """One that notes each time that it is asked."""
    (folder / "get-token").write_text(f"#!/bin/sh\necho asked >>{folder}/asked\n{script}\n")
    (folder / "get-token").chmod(0o755)
    return {"exec": {"apiVersion": V1, "command": str(folder / "get-token")}}


def saying(folder: Path, token: str) -> dict[str, Any]:
    (folder / "said").write_text(json.dumps({"apiVersion": V1, "status": {"token": token}}))
    return plugin(folder, f"cat {folder}/said")


def in_file(folder: Path, token: str) -> dict[str, Any]:
    (folder / "token").write_text(token)
    return {"tokenFile": str(folder / "token")}


WAYS = {"token": lambda _, token: {"token": token}, "plugin": saying, "file": in_file}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["newline", "crlf"])
def test_one_line_break_at_the_end_of_a_token_is_not_part_of_it(tmp_path: Path, way: str, ending: str) -> None:
    with cluster(tmp_path, WAYS[way](tmp_path, f"s3cr3t{ending}")) as (there, api):
        api.list(POD)
    assert there.headers("authorization") == [["Bearer s3cr3t"]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("token", ["s3cr3t\nsecond", "s3cr3t\n\n", "s3cr3t\0", "s3cr3t-€", "s3cr3t-é"], ids=ascii)
def test_a_token_that_no_header_can_have_is_denied_and_never_printed(tmp_path: Path, way: str, token: str) -> None:
    with cluster(tmp_path, WAYS[way](tmp_path, token)) as (there, api), pytest.raises(Denied) as caught:
        api.list(POD)
    assert "the token of user u is not valid" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert there.asked == []


def test_a_header_that_cannot_be_sent_is_not_printed(tmp_path: Path) -> None:
    """Whatever it is: a library names the value that it refuses."""
    with cluster(tmp_path, {"token": "t"}) as (_, api), pytest.raises(Denied) as caught:
        api.request("GET", "/version", headers={"x-secret": "s3cr3t\nmore"})
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("provider", ["gcp", "azure"])
def test_an_auth_provider_that_is_gone_is_denied(tmp_path: Path, provider: str) -> None:
    user = {"auth-provider": {"name": provider}}
    with cluster(tmp_path, user) as (_, api), pytest.raises(Denied, match=f"{provider} is gone.*credential plugin"):
        api.list(POD)


def test_a_login_that_cannot_be_renewed_is_denied(tmp_path: Path) -> None:
    ended = base64.urlsafe_b64encode(json.dumps({"exp": 1}).encode()).decode().rstrip("=")
    config = {
        "id-token": f"s3cr3t.{ended}.signature",
        "idp-issuer-url": "http://127.0.0.1:1",
        "idp-certificate-authority": "/nowhere",
        "refresh-token": "s3cr3t",
        "client-id": "shop",
        "client-secret": "s3cr3t",
    }
    user = {"auth-provider": {"name": "oidc", "config": config}}
    with cluster(tmp_path, user) as (_, api), pytest.raises(Denied, match="context prod") as caught:
        api.list(POD)
    assert "s3cr3t" not in str(caught.value)


NO_CERTIFICATE = base64.b64encode(b"rubbish").decode()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"server": 17}, "server of cluster one has to be text"),
        ({"proxy-url": ["http://proxy"]}, "proxy-url of cluster one has to be text"),
        ({"certificate-authority-data": NO_CERTIFICATE}, "certificate-authority of cluster one is no certificate"),
        ({"certificate-authority": "missing.crt"}, "missing.crt"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_told_as_what_it_is(tmp_path: Path, entry: dict[str, Any], words: str) -> None:
    file = write(tmp_path / "config", "one", **{"server": "https://127.0.0.1:1", **entry})
    with pytest.raises(Denied, match=words):
        Api(own(kubeconfig=str(file), context="one")).list(POD)


def test_a_client_certificate_that_is_none_is_denied(tmp_path: Path) -> None:
    user = {"client-certificate-data": NO_CERTIFICATE, "client-key-data": NO_CERTIFICATE}
    with pytest.raises(Denied, match="client certificate of user u cannot be used"):
        Connection(own(kubeconfig=str(secure(tmp_path, user)), context="prod")).send("GET", "/version", {}, b"", 1.0)


def secure(folder: Path, user: dict[str, Any]) -> Path:
    file = folder / "config"
    content = {
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user}],
    }
    file.write_text(json.dumps(content))
    return file


def times_asked(folder: Path) -> int:
    return len((folder / "asked").read_text().splitlines())


def test_a_plugin_that_hangs_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "DEADLINE", 0.3)
    with cluster(tmp_path, plugin(tmp_path, "exec sleep 60")) as (_, api):
        with pytest.raises(Denied, match="did not end within"):
            at_once([lambda: api.list(POD)] * 5)
        with pytest.raises(Denied, match="did not end within"):
            api.list(POD)
    assert times_asked(tmp_path) == 1


def test_those_who_wait_for_a_plugin_that_fails_are_told_of_it(tmp_path: Path) -> None:
    with cluster(tmp_path, plugin(tmp_path, "sleep 0.3; exit 3")) as (_, api):
        with pytest.raises(Denied, match="ended with status 3"):
            at_once([lambda: api.list(POD)] * 5)
        assert times_asked(tmp_path) == 1
        with pytest.raises(Denied, match="ended with status 3"):
            api.list(POD)  # who comes later asks again: somebody may have logged in
    assert times_asked(tmp_path) == 2


def test_an_interruption_ends_a_plugin_that_hangs_and_all_who_wait_for_it(tmp_path: Path) -> None:
    cancel = RunCancellation()
    started = time.monotonic()
    with cluster(tmp_path, plugin(tmp_path, "exec sleep 60"), cancel=cancel) as (_, api):
        threading.Timer(0.3, cancel.cancel, args=(Interrupted("interrupted"),)).start()
        with pytest.raises(Interrupted):
            at_once([lambda: api.list(POD)] * 5)
    assert time.monotonic() - started < 5
    assert times_asked(tmp_path) == 1


def test_what_is_put_back_after_an_interruption_has_credentials(tmp_path: Path) -> None:
    cancel = RunCancellation()
    cancel.cancel(Interrupted("interrupted"), within=9.0)
    with cluster(tmp_path, saying(tmp_path, "t"), cancel=cancel) as (there, api):
        api.list(POD)
    assert there.headers("authorization") == [["Bearer t"]]


def test_credentials_that_cannot_be_used_are_their_owners_business(tmp_path: Path) -> None:
    """Whoever waited is told the same; no `shipper doctor` knows more."""
    with cluster(tmp_path, plugin(tmp_path, "sleep 0.2; exit 3")) as (_, api):
        for call in (lambda: api.list(POD), lambda: at_once([lambda: api.list(POD)] * 3)):
            with pytest.raises(Denied) as caught:
                call()
            told = not_written(caught.value)
            assert (told.exit_code, "kubectl --context prod" in told.hint) == (32, True)
    with cluster(tmp_path, {"token": "a\nb"}) as (_, api), pytest.raises(Denied) as caught:
        api.list(POD)
    assert "log in again" in not_written(caught.value).hint
