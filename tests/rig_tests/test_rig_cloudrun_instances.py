"""The rig's Cloud Run runs images as containers, and judges their start as the real service does."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.rig.api import Rig
from tests.rig.daemons import wait_until
from tests.rig.google.cloudrun import instances_leftovers
from tests.rig.google.cloudrun.contract import (
    BucketMount,
    MemoryMount,
    ProbeSpec,
    RunSpec,
    SecretFile,
    SecretRef,
    World,
)
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.instances import ContainerInstances, NoInstance, make

pytestmark = [pytest.mark.integration, pytest.mark.sample(6, of="module")]

IMAGE = "python:3.11-slim"

SHOW = """
import http.server, json, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = 200, "{}"
        if self.path == "/env": body = json.dumps(dict(os.environ))
        elif self.path == "/argv": body = json.dumps(sys.argv)
        elif self.path.startswith("/read"): body = json.dumps(open(self.path[5:]).read())
        elif self.path.startswith("/write"): open(self.path[6:], "w").write("x")
        elif self.path == "/exit": os._exit(3)
        elif self.path == "/sick" : open("/tmp/sick", "w").close()
        elif self.path == "/well" : os.unlink("/tmp/sick")
        elif self.path == "/health": status = 500 if os.path.exists("/tmp/sick") else 200
        elif self.path == "/moved": status = 301
        elif self.path == "/broken": status = 500
        self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_): pass
print("hello out", flush=True); print("hello err", file=sys.stderr, flush=True)
time.sleep(float(os.environ.get("START_SECONDS", "0")))
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""

SECRETS: Mapping[str, bytes] = {"token/7": b"s3cret"}


def secret(ref: SecretRef) -> bytes:
    """Versions of secrets as the Secret Manager of the rig gives them."""
    try:
        return SECRETS[f"{ref.secret}/{ref.version}"]
    except KeyError:
        raise ApiError("NOT_FOUND", f"Secret {ref.secret} or version {ref.version} was not found.") from None


@pytest.fixture
def world(rig: Rig, tmp_path: Path) -> World:
    """A world with one secret, a bucket per directory, and no idle time to speak of."""

    def bucket(name: str) -> str:
        (tmp_path / name).mkdir(exist_ok=True)
        return str(tmp_path / name)

    return World(secret, bucket, lambda token, audience: None, lambda service, member: True, idle_seconds=60.0)


@pytest.fixture
def instances(world: World) -> Iterator[ContainerInstances]:
    """Instances that end with the test."""
    made = make(world)
    yield made
    made.close()


def spec(name: str = "shop-1", **changes: Any) -> RunSpec:
    """A revision that shows what it was given."""
    made = RunSpec(
        project="demo",
        location="us-central1",
        service_id="shop",
        revision_id=name,
        image=IMAGE,
        command=("python3", "-S", "-c", SHOW),
    )
    return replace(made, **changes)


def ask(instances: ContainerInstances, revision: str, path: str = "/") -> Any:
    """GET a path of the revision, as the router does."""
    with instances.serving(revision) as (host, port):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return json.loads(opener.open(f"http://{host}:{port}{path}", timeout=10).read())


def containers(revision: str) -> list[Any]:
    """The containers of a revision, ended ones too."""
    client = docker.from_env()
    try:
        return list(client.api.containers(all=True, filters={"label": f"{instances_leftovers.REVISION}={revision}"}))
    finally:
        client.close()


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result."""
    began = time.monotonic()
    result = call()
    return time.monotonic() - began, result


def test_a_container_gets_the_platforms_environment_arguments_and_secrets(instances: ContainerInstances) -> None:
    given = spec(
        port=9090,
        args=("--blue",),
        env={"COLOUR": "red", "PORT": "1"},
        secret_env={"TOKEN": SecretRef("demo", "token", "7")},
        secret_files=(SecretFile("/run/keys/token", SecretRef("demo", "token", "7")),),
        memory_mounts=(MemoryMount("/scratch", 2**20),),
    )

    assert instances.start(given).ok

    env = ask(instances, given.revision, "/env")
    assert {name: env[name] for name in ("PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION", "COLOUR", "TOKEN")} == {
        "PORT": "9090",
        "K_SERVICE": "shop",
        "K_REVISION": "shop-1",
        "K_CONFIGURATION": "shop",
        "COLOUR": "red",
        "TOKEN": "s3cret",
    }
    assert ask(instances, given.revision, "/argv") == ["-c", "--blue"]
    assert ask(instances, given.revision, "/read/run/keys/token") == "s3cret"
    assert "tmpfs /scratch" in ask(instances, given.revision, "/read/proc/mounts")


def test_a_bucket_is_read_and_not_written_when_it_is_read_only(instances: ContainerInstances, tmp_path: Path) -> None:
    (tmp_path / "models" / "v1").mkdir(parents=True)
    (tmp_path / "models" / "v1" / "iris").write_text("weights")
    given = spec(buckets=(BucketMount("models", "/models", read_only=True, only_dir="v1"),))

    assert instances.start(given).ok

    assert ask(instances, given.revision, "/read/models/iris") == "weights"
    with pytest.raises(Exception, match=r"Remote end closed|Connection reset"):
        ask(instances, given.revision, "/write/models/new")
    assert sorted(path.name for path in (tmp_path / "models" / "v1").iterdir()) == ["iris"]


def test_a_container_that_exits_is_found_at_once_with_its_last_words(instances: ContainerInstances) -> None:
    given = spec(command=("python3", "-S", "-c", "print('no model file'); raise SystemExit(1)"))

    seconds, outcome = timed(lambda: instances.start(given))

    assert (outcome.code, outcome.reason) == ("FAILED_PRECONDITION", "HEALTH_CHECK_CONTAINER_ERROR")
    assert "failed to start and listen on the port defined provided by the PORT=8080" in outcome.message
    assert outcome.log_lines == ("no model file",)
    assert [(line.stream, line.text) for line in instances.logs(given.revision, 5)] == [("stdout", "no model file")]
    assert seconds < 20  # the default probe would wait for 240
    assert containers(given.revision) == []


def test_a_command_that_is_not_in_the_image_fails_the_start(instances: ContainerInstances) -> None:
    outcome = instances.start(spec(command=("/no/such/program",)))

    assert outcome.reason == "HEALTH_CHECK_CONTAINER_ERROR"
    assert "no such file or directory" in outcome.log_lines[0]
    assert containers(spec().revision) == []


def test_a_container_on_another_port_fails_when_the_probe_times_out(instances: ContainerInstances) -> None:
    elsewhere = SHOW.replace('os.environ["PORT"]', "9999")
    given = spec(
        command=("python3", "-S", "-c", elsewhere),
        startup_probe=ProbeSpec("tcp", 8080, timeout=1, period=1, failure_threshold=1),
    )

    seconds, outcome = timed(lambda: instances.start(given))

    assert "PORT=8080" in outcome.message
    assert set(outcome.log_lines) == {"hello out", "hello err"}  # the engine reads the two streams in no order
    assert seconds >= 1
    assert containers(given.revision) == []


@pytest.mark.parametrize(("path", "ok"), [("/health", True), ("/moved", True), ("/broken", False)])
def test_an_http_startup_probe_decides(instances: ContainerInstances, path: str, ok: bool) -> None:
    probe = ProbeSpec("http", 8080, path=path, timeout=1, period=1, failure_threshold=3)

    outcome = instances.start(spec(startup_probe=probe))

    assert outcome.ok is ok
    assert ("failed the configured startup probe checks" in outcome.message) is not ok


def test_memory_beyond_the_limit_ends_the_start(instances: ContainerInstances) -> None:
    given = spec(command=("python3", "-S", "-c", "x = bytearray(300 * 2**20)"), memory=64 * 2**20)

    outcome = instances.start(given)

    assert outcome.message.startswith("Memory limit of 64 MiB exceeded.")
    assert outcome.reason == "HEALTH_CHECK_CONTAINER_ERROR"


def test_an_image_that_the_registry_does_not_have_is_missing(rig: Rig, instances: ContainerInstances) -> None:
    image = f"{rig.registry}/team/none@sha256:{'0' * 64}"

    outcome = instances.start(spec(image=image))

    assert (outcome.code, outcome.reason, outcome.condition) == ("NOT_FOUND", "CONTAINER_MISSING", "ContainerReady")
    assert outcome.message == f"Image '{image}' not found."


def test_a_secret_that_is_not_there_fails_the_start_and_leaves_nothing(instances: ContainerInstances) -> None:
    given = spec(secret_env={"TOKEN": SecretRef("demo", "token", "8")})

    outcome = instances.start(given)

    assert (outcome.reason, outcome.condition) == ("SECRETS_ACCESS_CHECK_FAILED", "ResourcesAvailable")
    assert containers(given.revision) == []


def test_a_start_ends_early_when_the_revision_is_deleted(instances: ContainerInstances) -> None:
    given = spec(env={"START_SECONDS": "300"})
    outcomes: list[Any] = []
    starting = threading.Thread(target=lambda: outcomes.append(instances.start(given)))
    starting.start()
    assert wait_until(lambda: bool(instances.logs(given.revision, 1)), 30)

    instances.stop(given.revision)
    starting.join(20)

    assert [outcome.code for outcome in outcomes] == ["ABORTED"]
    assert containers(given.revision) == []


def test_idle_instances_end_and_the_first_request_starts_them_again(world: World) -> None:
    instances = make(replace(world, idle_seconds=1.0))
    try:
        given = spec()
        assert instances.start(given).ok
        assert ask(instances, given.revision) == {}

        assert wait_until(lambda: not instances.running(given.revision) and not containers(given.revision), 30)
        cold, answer = timed(lambda: ask(instances, given.revision))
        warm, _ = timed(lambda: ask(instances, given.revision))

        assert answer == {}
        assert cold > warm
        assert [line.text for line in instances.logs(given.revision, 100)].count("hello out") == 2
    finally:
        instances.close()


def test_one_with_a_minimum_is_never_idle_and_comes_back_when_it_ends(world: World) -> None:
    instances = make(replace(world, idle_seconds=1.0))
    try:
        given = spec()
        assert instances.start(given).ok
        instances.keep(given.revision, 1)
        first = containers(given.revision)[0]["Id"]

        with pytest.raises(Exception, match=r"Remote end closed|Connection reset"):
            ask(instances, given.revision, "/exit")

        assert wait_until(lambda: [one["Id"] for one in containers(given.revision)] not in ([], [first]), 30)
        assert wait_until(lambda: instances.running(given.revision), 30)
        assert ask(instances, given.revision) == {}
    finally:
        instances.close()


def test_a_failed_liveness_probe_ends_the_instance_and_the_next_request_has_another(
    instances: ContainerInstances,
) -> None:
    probe = ProbeSpec("http", 8080, path="/health", timeout=1, period=1, failure_threshold=2)
    given = spec(liveness_probe=probe)
    assert instances.start(given).ok

    ask(instances, given.revision, "/sick")

    assert wait_until(lambda: not instances.running(given.revision), 30)
    assert ask(instances, given.revision) == {}


def test_an_instance_whose_readiness_probe_fails_gets_no_requests_until_it_passes(
    instances: ContainerInstances,
) -> None:
    probe = ProbeSpec("http", 8080, path="/health", timeout=1, period=1, failure_threshold=1)
    given = spec(readiness_probe=probe)
    assert instances.start(given).ok
    with instances.serving(given.revision) as (host, port):
        ask(instances, given.revision, "/sick")

    def refused() -> bool:
        try:
            ask(instances, given.revision)
        except NoInstance as error:
            return error.status == 503
        return False

    assert wait_until(refused, 30)
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{host}:{port}/well", timeout=10)
    assert wait_until(lambda: not refused(), 30)


def test_only_as_many_requests_as_the_concurrency_says_reach_the_instance(
    instances: ContainerInstances, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.rig.google.cloudrun.instances_revision.QUEUE_SECONDS", 0.2)
    given = spec(concurrency=1)
    assert instances.start(given).ok

    with instances.serving(given.revision), pytest.raises(NoInstance) as refused:
        ask(instances, given.revision)

    assert refused.value.status == 429
    assert ask(instances, given.revision) == {}


def test_containers_of_a_killed_process_are_removed_and_those_of_a_living_one_stay(
    instances: ContainerInstances,
) -> None:
    client = docker.from_env()
    dead = client.containers.create(IMAGE, labels={instances_leftovers.RIG: "1-999"})  # process 1 began earlier
    mine = client.containers.create(IMAGE, labels=instances_leftovers.labels("mine"))
    try:
        assert instances_leftovers.clear(client) >= 1

        names = {one["Id"] for one in client.api.containers(all=True, filters={"label": instances_leftovers.RIG})}
        assert dead.id not in names
        assert mine.id in names
    finally:
        mine.remove()
        client.close()
