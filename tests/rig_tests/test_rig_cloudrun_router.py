"""The router of the rig's Cloud Run: shares, swaps, refusals and bodies, with servers of this process behind it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from tests.rig.daemons import wait_until
from tests.rig.google.cloudrun.contract import World
from tests.rig.google.cloudrun.instances_revision import NoInstance
from tests.rig.google.cloudrun.request_log import RequestLog
from tests.rig.google.cloudrun.router import LocalRouter, make
from tests.rig.google.cloudrun.router_table import Turns

SERVICE = "projects/demo/locations/us-central1/services/shop"
BLUE, GREEN = f"{SERVICE}/revisions/shop-1", f"{SERVICE}/revisions/shop-2"
Reply = Callable[[BaseHTTPRequestHandler], None]

pytestmark = pytest.mark.integration


@dataclass
class Servers:
    """Stands where instances stand: a revision is a server of this process, or has nothing that runs."""

    addresses: dict[str, tuple[str, int]] = field(default_factory=dict)
    seconds: float = 10.0
    busy: bool = False

    @contextmanager
    def serving(self, revision: str) -> Iterator[tuple[str, int]]:
        if self.busy:
            raise NoInstance(429, "no slot")
        if revision not in self.addresses:
            raise NoInstance(503, "nothing runs")
        yield self.addresses[revision]

    def timeout(self, revision: str) -> float:
        return self.seconds


@dataclass
class People:
    """Who may invoke, and which token is whose."""

    public: bool = True
    audiences: list[str] = field(default_factory=list)

    def invoker(self, token: str, audience: str) -> str | None:
        self.audiences.append(audience)
        return {"ann.x.signature": "user:ann", "bob.x.signature": "user:bob"}.get(token)

    def may_invoke(self, service: str, member: str | None) -> bool:
        return self.public or member == "user:ann"


@dataclass
class Rig:
    """A router with one open service, and what stands behind it."""

    router: LocalRouter
    requests: RequestLog
    servers: Servers
    people: People
    address: str
    stack: ExitStack

    def serve(self, revision: str, reply: Reply) -> None:
        """Run the revision: `reply` answers each of its requests."""
        self.servers.addresses[revision] = ("127.0.0.1", self.stack.enter_context(server(reply)))

    def route(
        self,
        weights: dict[str, int],
        tags: dict[str, str] | None = None,
        ingress: str = "INGRESS_TRAFFIC_ALL",
    ) -> dict[str, str]:
        """Route the service, with the invoker check on."""
        return dict(self.router.route(SERVICE, weights, tags or {}, invoker_check=True, ingress=ingress))


@contextmanager
def server(reply: Reply) -> Iterator[int]:
    """A server with keep-alive whose every answer is `reply(handler)`; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            reply(self)

        def do_POST(self) -> None:
            reply(self)

        def do_HEAD(self) -> None:
            reply(self)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield httpd.server_port
        finally:
            httpd.shutdown()
            thread.join()


def says(text: str) -> Reply:
    """Answer with a text."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(text.encode())

    return reply


def slowly(reply: Reply) -> Reply:
    """The same a little later, so that requests are under way when routes change."""

    def later(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.05)
        reply(handler)

    return later


def shows(handler: BaseHTTPRequestHandler) -> None:
    """Answer with what came."""
    length = handler.headers.get("Content-Length")
    body = handler.rfile.read(int(length)) if length else read_chunks(handler)
    seen = {"headers": {name.lower(): value for name, value in handler.headers.items()}, "size": len(body)}
    says(json.dumps(seen))(handler)


def read_chunks(handler: BaseHTTPRequestHandler) -> bytes:
    """The body of a chunked request."""
    body = b""
    while handler.headers.get("Transfer-Encoding") and (size := int(handler.rfile.readline(), 16)):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    return body


def connection(address: str) -> http.client.HTTPConnection:
    """A connection that is kept alive."""
    return http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)


def ask(address: str, method: str = "GET", body: object = None, **headers: str) -> tuple[int, str]:
    """Status and body of one request."""
    with closing(connection(address)) as client:
        client.request(method, "/", body, {name.replace("_", "-"): value for name, value in headers.items()})  # type: ignore[arg-type]
        answer = client.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture
def rig() -> Iterator[Rig]:
    """One open service, nothing routed."""
    servers, people = Servers(), People()
    world = World(lambda ref: b"", lambda bucket: "", people.invoker, people.may_invoke)
    router = make(world, servers)
    with ExitStack() as stack:
        stack.callback(router.shutdown)
        yield Rig(router, world.requests, servers, people, router.open(SERVICE), stack)


def test_turns_are_exact_in_every_window_of_a_hundred() -> None:
    turns = Turns({"a": 90, "b": 9, "c": 1, "d": 0})

    taken = [turns.next() for _ in range(400)]

    for start in range(300):
        assert Counter(taken[start : start + 100]) == {"a": 90, "b": 9, "c": 1}
    assert taken[:20].count("b") in (1, 2)  # spread, not in a row


def test_requests_are_divided_by_percent_and_answers_do_not_name_the_revision(rig: Rig) -> None:
    rig.serve(BLUE, says("blue"))
    rig.serve(GREEN, says("green"))
    rig.route({BLUE: 90, GREEN: 10})

    with closing(connection(rig.address)) as client:  # one connection: shares are of requests
        answers: Counter[str] = Counter()
        for _ in range(100):
            client.request("GET", "/")
            answer = client.getresponse()
            answers[answer.read().decode()] += 1

    assert answers == {"blue": 90, "green": 10}
    assert not any("shop-" in value for value in answer.headers.values())


def test_an_open_service_answers_404_until_it_is_routed_and_503_when_nothing_runs(rig: Rig) -> None:
    assert ask(rig.address)[0] == 404
    rig.route({BLUE: 100})

    assert ask(rig.address) == (503, "Service Unavailable")


def test_a_request_under_way_ends_on_the_revision_it_began_on(rig: Rig) -> None:
    reached, release = threading.Event(), threading.Event()

    def waits(handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        release.wait(20)
        says("blue")(handler)

    rig.serve(BLUE, waits)
    rig.serve(GREEN, says("green"))
    rig.route({BLUE: 100})
    first: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: first.append(ask(rig.address)))
    asking.start()
    assert reached.wait(20)

    rig.route({GREEN: 100})

    assert ask(rig.address) == (200, "green")
    release.set()
    asking.join(20)
    assert first == [(200, "blue")]


def test_a_tag_has_an_address_that_it_keeps_and_loses(rig: Rig) -> None:
    rig.serve(BLUE, says("blue"))
    rig.serve(GREEN, says("green"))
    tags = rig.route({BLUE: 100}, {"next": GREEN})

    assert ask(tags["next"]) == (200, "green")
    assert rig.route({BLUE: 100}, {"next": BLUE}) == tags
    assert ask(tags["next"]) == (200, "blue")
    assert rig.route({BLUE: 100}) == {}
    with pytest.raises(ConnectionRefusedError):
        ask(tags["next"])


def test_every_request_that_reached_a_revision_is_logged_with_what_was_answered(rig: Rig) -> None:
    rig.serve(BLUE, says("blue"))
    ask(rig.address)  # not routed yet: no revision's request
    tags = rig.route({GREEN: 100}, {"next": BLUE})

    ask(tags["next"], "POST", b"x", User_Agent="tests")
    ask(rig.address)

    assert wait_until(lambda: bool(rig.requests.of(BLUE) and rig.requests.of(GREEN)), patience=10)
    (passed,), (failed,) = rig.requests.of(BLUE), rig.requests.of(GREEN)
    assert (passed.method, passed.url, passed.status) == ("POST", f"{tags['next']}/", 200)
    assert (passed.user_agent, passed.caller) == ("tests", "127.0.0.1")
    assert 0 < passed.seconds < 20
    assert (failed.method, failed.url, failed.status) == ("GET", f"{rig.address}/", 503), "nothing runs of it"


def test_bodies_pass_whole_chunked_or_not_and_head_has_none(rig: Rig) -> None:
    rig.serve(BLUE, shows)
    rig.route({BLUE: 100})

    status, whole = ask(rig.address, "POST", b"x" * 3_000_000)
    _, chunked = ask(rig.address, "POST", iter([b"x" * 1000] * 50))

    assert (status, json.loads(whole)["size"], json.loads(chunked)["size"]) == (200, 3_000_000, 50_000)
    assert ask(rig.address, "HEAD") == (200, "")


def test_the_container_sees_the_front_ends_headers_and_the_host_that_was_asked(rig: Rig) -> None:
    rig.serve(BLUE, shows)
    rig.route({BLUE: 100})

    seen = json.loads(ask(rig.address, X_Mine="kept", Keep_Alive="timeout=5")[1])["headers"]

    assert seen["host"] == urlsplit(rig.address).netloc
    assert (seen["x-forwarded-proto"], seen["x-forwarded-for"], seen["x-mine"]) == ("https", "127.0.0.1", "kept")
    assert seen["x-cloud-trace-context"].startswith(seen["traceparent"].split("-")[1])
    assert "keep-alive" not in seen


def test_pieces_of_an_answer_arrive_as_they_are_sent(rig: Rig) -> None:
    go_on = threading.Event()

    def streams(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nfirst\r\n")
        assert go_on.wait(20)
        handler.wfile.write(b"6\r\nsecond\r\n0\r\n\r\n")

    rig.serve(BLUE, streams)
    rig.route({BLUE: 100})

    with closing(connection(rig.address)) as client:
        client.request("GET", "/")
        answer = client.getresponse()
        assert answer.read1(5) == b"first"  # before the container sends the rest
        go_on.set()
        assert answer.read() == b"second"


def test_a_request_longer_than_the_revisions_timeout_is_504(rig: Rig) -> None:
    release = threading.Event()

    def never_answers(handler: BaseHTTPRequestHandler) -> None:
        release.wait(20)
        handler.close_connection = True

    rig.serve(BLUE, never_answers)
    rig.servers.seconds = 0.3
    rig.route({BLUE: 100})

    assert ask(rig.address) == (504, "upstream request timeout")
    release.set()


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(rig: Rig) -> None:
    def breaks_off(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True

    rig.serve(BLUE, breaks_off)
    rig.route({BLUE: 100})

    with pytest.raises(http.client.IncompleteRead):
        ask(rig.address)


def test_a_container_that_closes_without_an_answer_is_503(rig: Rig) -> None:
    rig.serve(BLUE, lambda handler: setattr(handler, "close_connection", True))
    rig.route({BLUE: 100})

    assert ask(rig.address)[0] == 503


def test_no_free_instance_is_429_and_a_request_too_large_413(rig: Rig) -> None:
    rig.serve(BLUE, shows)
    rig.route({BLUE: 100})

    assert ask(rig.address, "POST", b"x" * (33 * 2**20))[0] == 413
    rig.servers.busy = True
    assert ask(rig.address) == (429, "Rate exceeded.")


def test_ingress_from_inside_only_is_404_for_everybody_here(rig: Rig) -> None:
    rig.serve(BLUE, says("blue"))
    tags = rig.route({BLUE: 100}, {"next": BLUE}, ingress="INGRESS_TRAFFIC_INTERNAL_ONLY")

    assert (ask(rig.address)[0], ask(tags["next"])[0]) == (404, 404)


def test_a_private_service_asks_for_a_token_of_somebody_who_may_invoke(rig: Rig) -> None:
    rig.people.public = False
    rig.serve(BLUE, shows)
    tags = rig.route({BLUE: 100}, {"next": BLUE})

    assert ask(rig.address)[0] == 403
    assert ask(rig.address, Authorization="Bearer nobodys")[0] == 401
    assert ask(rig.address, Authorization="Bearer bob.x.signature")[0] == 403
    status, body = ask(tags["next"], Authorization="Bearer ann.x.signature")

    assert status == 200
    assert json.loads(body)["headers"]["authorization"] == "Bearer ann.x.SIGNATURE_REMOVED_BY_GOOGLE"
    assert set(rig.people.audiences) == {rig.address}  # the service's own, for a tag as well


def test_a_public_service_leaves_the_authorization_header_alone(rig: Rig) -> None:
    rig.serve(BLUE, shows)
    rig.route({BLUE: 100})

    assert (
        json.loads(ask(rig.address, Authorization="Bearer app.own")[1])["headers"]["authorization"] == "Bearer app.own"
    )


@pytest.mark.parametrize(
    "request_line",
    [b"NOT HTTP\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"],
    ids=str,
)
def test_a_request_that_makes_no_sense_is_400_and_hurts_nobody_else(rig: Rig, request_line: bytes) -> None:
    rig.serve(BLUE, says("blue"))
    rig.route({BLUE: 100})
    parts = urlsplit(rig.address)

    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        client.sendall(request_line)
        assert client.recv(100).startswith(b"HTTP/1.1 400")

    assert ask(rig.address) == (200, "blue")


def test_a_closed_services_address_is_gone(rig: Rig) -> None:
    rig.serve(BLUE, says("blue"))
    tags = rig.route({BLUE: 100}, {"next": BLUE})

    rig.router.close(SERVICE)

    for address in (rig.address, tags["next"]):
        with pytest.raises(ConnectionRefusedError):
            ask(address)


def test_a_hundred_swaps_under_load_lose_no_request(rig: Rig) -> None:
    rig.serve(BLUE, slowly(says("blue")))
    rig.serve(GREEN, slowly(says("green")))
    rig.route({BLUE: 100})
    statuses: Counter[int] = Counter()
    stop = threading.Event()

    def keep_asking() -> None:
        with closing(connection(rig.address)) as client:
            while not stop.is_set():
                client.request("GET", "/")
                answer = client.getresponse()
                answer.read()
                statuses[answer.status] += 1

    askers = [threading.Thread(target=keep_asking) for _ in range(8)]
    for asker in askers:
        asker.start()
    for number in range(100):
        rig.route({BLUE: number, GREEN: 100 - number})
        stop.wait(0.01)
    stop.set()
    for asker in askers:
        asker.join(20)

    assert set(statuses) == {200}
    assert statuses[200] > 50
