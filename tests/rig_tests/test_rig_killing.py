"""The proxies of the kill harness: they pass everything on, count writes, and kill at exactly the one they are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, RemoteDisconnected
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.children import assert_gone
from tests.rig.api import Rig
from tests.rig.killing import KillPoints, Trouble

pytestmark = pytest.mark.integration

ECHO = bytes(range(256)) * 4096
"""A megabyte: more than the proxy looks at, together with anything else."""


class Store(BaseHTTPRequestHandler):
    """Keeps what is put; answers in every way that HTTP/1.1 has to mark an end."""

    protocol_version = "HTTP/1.1"
    kept: dict[str, bytes]

    def do_PUT(self) -> None:
        body = self._chunks() if self.headers.get("Transfer-Encoding") else self._exactly()
        self.kept[self.path] = body
        self._say(200, b"")

    def do_GET(self) -> None:
        if self.path.startswith("/chunked"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"in ", b"three ", b"pieces"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif self.path.startswith("/until-the-end"):
            self.close_connection = True
            self.send_response(200)
            self.end_headers()
            self.wfile.write(ECHO)
        else:
            self._say(200 if self.path in self.kept else 404, self.kept.get(self.path, b"nothing"))

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()

    def do_DELETE(self) -> None:
        self.kept.pop(self.path, None)
        self.send_response(204)
        self.end_headers()

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _exactly(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def a_store() -> Iterator[tuple[str, dict[str, bytes]]]:
    kept: dict[str, bytes] = {}
    handler = type("OneStore", (Store,), {"kept": kept})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        httpd.daemon_threads = True
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_port}", kept
        finally:
            httpd.shutdown()
            thread.join()


def to(points: KillPoints) -> HTTPConnection:
    return HTTPConnection(urlsplit(points.store_url).netloc, timeout=10)


def asked(connection: HTTPConnection, method: str, path: str, **options: object) -> tuple[int, bytes]:
    connection.request(method, path, **options)  # type: ignore[arg-type]
    answer = connection.getresponse()
    return answer.status, answer.read()


# What is passed on


def test_every_kind_of_body_passes_unchanged_over_one_connection() -> None:
    with a_store() as (url, kept), KillPoints(store_url=url) as points:
        one = to(points)
        assert asked(one, "PUT", "/a", body=ECHO) == (200, b"")
        assert asked(one, "PUT", "/b", body=iter([b"some", b"thing"]), encode_chunked=True,
                     headers={"Transfer-Encoding": "chunked"}) == (200, b"")  # fmt: skip
        assert asked(one, "GET", "/a") == (200, ECHO)
        assert asked(one, "GET", "/chunked") == (200, b"in three pieces")
        assert asked(one, "HEAD", "/a") == (200, b"")
        assert asked(one, "DELETE", "/a") == (204, b"")
        assert asked(one, "GET", "/a") == (404, b"nothing")
        assert asked(one, "GET", "/until-the-end") == (200, ECHO)
        assert kept == {"/b": b"something"}


def test_connections_do_not_wait_for_each_other() -> None:
    with a_store() as (url, kept), KillPoints(store_url=url) as points:
        with points.troubled(lambda side, request: Trouble(delay=30) if request.url.path == "/slow" else None):
            waiting = to(points)
            waiting.request("PUT", "/slow", body=b"")
            assert asked(to(points), "PUT", "/fast", body=b"x") == (200, b"")
        assert list(kept) == ["/fast"]


# What is counted


def test_writes_of_both_sides_are_counted_together_in_their_order(rig: Rig, own: str) -> None:
    with a_store() as (url, _), KillPoints(rig.docker_host, url) as points, points.counted() as seen:
        docker(points, "volume", "create", own)
        asked(to(points), "PUT", "/bucket/shop/lease/7.json", body=b"{}")
        docker(points, "volume", "ls", "--filter", f"name={own}")
        asked(to(points), "GET", "/bucket/shop/lease/7.json")
        docker(points, "volume", "rm", own)
    assert [str(write) for write in seen.writes] == [
        f"1. engine POST /volumes/create {own} -> 201",
        "2. store PUT shop/lease/7.json -> 200",
        f"3. engine DELETE /volumes/{own} -> 204",
    ]
    assert points.count() == 3


def test_builds_and_reads_are_no_writes(rig: Rig, own: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {rig.base_image}\nRUN echo {own}\n")
    with KillPoints(rig.docker_host) as points, points.counted() as seen:
        try:
            docker(points, "build", "--quiet", "--tag", own, str(tmp_path))
            docker(points, "image", "inspect", own)
            docker(points, "image", "save", "--output", str(tmp_path / "image.tar"), own)
            docker(points, "image", "load", "--quiet", "--input", str(tmp_path / "image.tar"))
        finally:
            docker(points, "image", "rm", own)
    assert seen.writes == []


def test_a_container_that_talks_in_both_directions_is_made_and_started(rig: Rig, own: str) -> None:
    words = ("run", "--rm", "--interactive", "--name", own, "--network", "none", rig.base_image, "tr", "a-z", "A-Z")
    with KillPoints(rig.docker_host) as points, points.counted() as seen:
        assert docker(points, *words, said="shout\n") == "SHOUT\n"
    made, started = seen.writes
    assert (made.name, made.status) == (f"POST /containers/create {own}", 201)
    assert (started.name.endswith("/start"), started.status) == (True, 204)


def test_scripts_that_change_something_are_writes_and_others_are_not(rig: Rig, box: str) -> None:
    with KillPoints(rig.docker_host) as points, points.counted() as seen:
        assert script(points, box, "echo done; touch /made").output == b"done\n"
        assert script(points, box, scripts("read.sh")).exit_code != 0, "this container is no proxy"
        assert script(points, box, "exit 76").exit_code == 76
    assert [str(write) for write in seen.writes] == [
        "1. engine echo done; touch /made -> 0",
        "2. engine exit 76 -> 76",
    ]


# Who dies, and when


@pytest.mark.parametrize(("when", "there"), [("before", 1), ("after", 2)])
def test_the_process_dies_before_or_after_its_second_write(rig: Rig, own: str, when: str, there: int) -> None:
    program = f"""
import docker
engine = docker.from_env()
for number in (1, 2, 3):
    engine.volumes.create("{own}-%d" % number)
    print("created", number, flush=True)
"""
    with KillPoints(rig.docker_host) as points:
        with points.armed("before" if when == "before" else "after", 2) as seen:
            ended = points.run([sys.executable, "-c", program], env=os.environ | points.env())
        names = docker(points, "volume", "ls", "--quiet", "--filter", f"name={own}").split()
        docker(points, "volume", "rm", *names)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert ended.stdout == "created 1\n", "of the second it was never told"
    assert names == [f"{own}-{number}" for number in range(1, there + 1)]
    assert seen.killed_at is not None
    assert seen.killed_at.number == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_script_has_not_begun_or_has_ended_when_the_process_dies(rig: Rig, box: str, when: str) -> None:
    program = f"""
import docker
box = docker.from_env().containers.get("{box}")
print(box.exec_run(["bash", "-c", "sleep 0.3; touch /made; echo made"]).output)
"""
    with KillPoints(rig.docker_host) as points:
        with points.armed("before" if when == "before" else "after", 1):
            ended = points.run([sys.executable, "-c", program], env=os.environ | points.env())
        found = script(points, box, "test -e /made").exit_code
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert ended.stdout == ""
    assert found == (1 if when == "before" else 0)


def test_children_in_sessions_of_their_own_die_too() -> None:
    program = """
import http.client, subprocess, sys
shell = ["sh", "-c", "setsid sleep 600 & echo $!; wait"]
child = subprocess.Popen(shell, start_new_session=True, stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline().strip(), flush=True)
store = http.client.HTTPConnection(sys.argv[1])
store.request("PUT", "/a", body=b"")
store.getresponse()
"""
    with a_store() as (url, kept), KillPoints(store_url=url) as points, points.armed("before", 1) as seen:
        ended = points.run([sys.executable, "-c", program, urlsplit(points.store_url).netloc])
        bystander = os.getpid()
    children = [int(pid) for pid in ended.stdout.split()]
    assert len(children) == 2, ended.stderr
    assert_gone(*children)
    assert set(children) < set(seen.killed)
    assert bystander not in seen.killed
    assert kept == {}


def test_nothing_of_a_dead_run_is_passed_on_any_more() -> None:
    with a_store() as (url, kept), KillPoints(store_url=url) as points, points.armed("after", 1):
        two = to(points)
        asked(two, "GET", "/nothing")
        for connection in (to(points), two, to(points)):
            with pytest.raises((RemoteDisconnected, ConnectionError)):
                asked(connection, "PUT", f"/{uuid.uuid4()}", body=b"x")
        assert len(kept) == 1, "the one after which it died"


def test_a_run_with_fewer_writes_lives() -> None:
    program = "import sys; print('alive')"
    with KillPoints() as points, points.armed("before", 1) as seen:
        ended = points.run([sys.executable, "-c", program])
    assert (ended.returncode, ended.stdout, seen.killed_at) == (0, "alive\n", None)


# What goes wrong on purpose


def test_a_store_can_refuse_and_forget() -> None:
    with a_store() as (url, kept), KillPoints(store_url=url) as points, points.counted() as seen:
        with points.troubled(lambda side, request: Trouble(refuse=503)):
            assert asked(to(points), "PUT", "/refused", body=b"x") == (503, b"")
        with points.troubled(lambda side, request: Trouble(forget=True)), pytest.raises(RemoteDisconnected):
            asked(to(points), "PUT", "/forgotten", body=b"x")
        with points.troubled(lambda side, request: Trouble(cut=True)), pytest.raises(RemoteDisconnected):
            asked(to(points), "PUT", "/cut", body=b"x")
    assert list(kept) == ["/forgotten"]
    assert [write.name for write in seen.writes] == ["PUT /forgotten"], "what was passed on"


def test_a_slow_engine_is_slow(rig: Rig, own: str) -> None:
    with KillPoints(rig.docker_host) as points, points.counted() as seen:
        with points.slow_writes("engine", 0.5):
            started = time.monotonic()
            docker(points, "volume", "create", own)
        docker(points, "volume", "rm", own)
    assert seen.writes[0].asked < started + 0.5
    assert (seen.writes[0].answered or 0) >= started + 0.5
    assert seen.writes[1].done


# Helpers


@pytest.fixture
def own() -> str:
    return f"killing-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def box(rig: Rig, own: str) -> Iterator[str]:
    """A container to run scripts in."""
    words = ["run", "--detach", "--init", "--network", "none", "--name", own, rig.base_image, "sleep", "600"]
    subprocess.run(["docker", *words], check=True, capture_output=True, env=os.environ | rig.env())
    yield own
    subprocess.run(["docker", "rm", "--force", own], check=True, capture_output=True, env=os.environ | rig.env())


def docker(points: KillPoints, *words: str, said: str | None = None) -> str:
    done = subprocess.run(
        ["docker", *words], env=os.environ | points.env(), capture_output=True, text=True, timeout=60, input=said
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Ran:
    """A script's output and exit code, through the docker SDK as the product uses it."""

    def __init__(self, points: KillPoints, container: str, text: str) -> None:
        import docker as sdk

        api = sdk.APIClient(base_url=points.docker_host)
        made = api.exec_create(container, ["bash", "-c", text, "shipper"])
        self.output = api.exec_start(made["Id"])
        self.exit_code = api.exec_inspect(made["Id"])["ExitCode"]
        api.close()


script = Ran


def scripts(name: str) -> str:
    from tests.rig.killing_writes import SCRIPTS

    return "\n".join((SCRIPTS / part).read_text() for part in ("lib.sh", name))
