"""The rig's Google Cloud as its own process, with containers: what serves is asked over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import run_v2

from tests.rig.api import Rig
from tests.rig.google.clients import Calls, Transport, finished, to
from tests.rig.google.cloudrun.instances_leftovers import REVISION
from tests.rig.google.handle import GoogleRig

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SERVE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.environ['WORD']} {os.environ['K_REVISION']}".encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
print("ready", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, rig: Rig) -> Iterator[str]:
    """Where the process answers; it ends with the module."""
    words = [sys.executable, "-m", "tests.rig.google", "--port", "0", "--step", "0.05"]
    state = str(tmp_path_factory.mktemp("google"))
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*words, "--state", state], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.startswith("answers on http://127.0.0.1:")
    yield said.removeprefix("answers on ").strip()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    left = docker.from_env().containers.list(all=True, filters={"label": REVISION})
    assert not [one for one in left if "projects/process-" in one.labels[REVISION]], "it takes its containers along"


@pytest.fixture(params=["grpc", "rest"])
def run(url: str, request: pytest.FixtureRequest) -> Iterator[Calls]:
    transport: Transport = request.param
    calls = Calls(url, transport, project=f"process-{transport}")
    yield calls
    GoogleRig(url).wipe(calls.project)


def ask(url: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def shown(revision: str, word: str, script: str = SERVE) -> run_v2.RevisionTemplate:
    container = run_v2.Container(
        image="docker.io/library/python:3.11-slim",
        command=["python", "-c"],
        args=[script],
        env=[run_v2.EnvVar(name="WORD", value=word)],
    )
    return run_v2.RevisionTemplate(revision=revision, containers=[container])


def test_what_is_routed_is_what_answers(run: Calls, url: str) -> None:
    first = run_v2.Service(template=shown("web-1", "one"), traffic=[to("web-1", 100)], invoker_iam_disabled=True)
    service = finished(run.send_create(first))
    assert ask(service.uri) == (200, "one web-1")

    service = run.update(
        "template,traffic", template=shown("web-2", "two"), traffic=[to("web-1", 100), to("web-2", 0, "green")]
    )
    assert ask(service.uri) == (200, "one web-1")
    tagged = next(status.uri for status in service.traffic_statuses if status.tag == "green")
    assert ask(tagged) == (200, "two web-2")

    run.update("traffic", traffic=[to("web-2", 100)])
    assert ask(service.uri) == (200, "two web-2")

    ended = shown("web-3", "three", "raise SystemExit('no model here')")
    with pytest.raises(GoogleAPICallError, match="failed to start and listen"):
        run.update("template,traffic", template=ended, traffic=[to("web-3", 100)])
    assert ask(service.uri) == (200, "two web-2")
    lines = GoogleRig(url).logs(f"{run.name}/revisions/web-3")
    assert [line["text"] for line in lines] == ["no model here"]

    finished(run.services.delete_service(name=run.name))
    with pytest.raises(OSError, match="refused"):
        ask(service.uri)


def test_a_service_lets_nobody_in_that_its_policy_does_not_name(run: Calls) -> None:
    service = finished(run.send_create(run_v2.Service(template=shown("web-1", "one"))))
    assert ask(service.uri) == (403, "")
    policy = run.services.get_iam_policy({"resource": run.name})
    policy.bindings.add(role="roles/run.invoker", members=["allUsers"])
    run.services.set_iam_policy({"resource": run.name, "policy": policy})
    assert ask(service.uri) == (200, "one web-1")


def test_a_client_that_is_killed_while_its_write_is_held_did_not_write(run: Calls, url: str) -> None:
    first = run_v2.Service(template=shown("web-1", "one"), traffic=[to("web-1", 100)], invoker_iam_disabled=True)
    finished(run.send_create(first))
    hands = GoogleRig(url)
    hands.hold(run.project)
    words = f"Calls({url!r}, {run.transport!r}, project={run.project!r}).send('annotations', annotations={{'a': '1'}})"
    script = f"from tests.rig.google.clients import Calls; {words}"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    client = subprocess.Popen([sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, env=environ)
    write = hands.held(run.project)
    assert write is not None
    client.kill()
    client.wait(10)
    hands.release(run.project, carry=False)
    assert dict(run.get().annotations) == {}
    run.update("annotations", annotations={"a": "2"})
    assert [one["code"] for one in hands.writes(run.project)] == ["OK", "CANCELLED", "OK"]
