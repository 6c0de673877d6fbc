"""Ask one golden request, and judge the answer. Shared with the rollout's verification.

Redirects are not followed: a redirect is an answer, and following it could ask another machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from shipper.model import GoldenRequest, HealthSettings, Probe
from shipper.model.json_text import parse_json
from shipper.model.printable import excerpt
from shipper.targets.certificates import verify_for
from shipper.targets.matching import difference
from shipper.targets.silence import is_unreached, why_silent

if TYPE_CHECKING:
    import httpx

MAX_ANSWER = 10_000_000  # bytes: enough for an image or an embedding, small beside the 100 MB of memory we may use
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Fault:
    """What is wrong with an answer. `cause` is a finding's id.

    `said` is how the answer begins, where the problem does not say so: the service's words, told and never recorded.
    """

    cause: Literal["bad-status", "bad-answer"]
    problem: str
    said: str = ""


@dataclass(frozen=True)
class Answer:
    """What came back: status and headers, the body up to MAX_ANSWER bytes; or why nothing did."""

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    problem: str = ""
    reached: bool = True
    """Whether there was somebody to ask."""


@dataclass(frozen=True)
class Asked:
    """A golden request's outcome: the probe as it is recorded, the answer's headers, and its fault.

    `url` is what was asked from here, `host` the Host header where it is not the URL's own.
    """

    probe: Probe
    headers: Mapping[str, str]
    fault: Fault | None
    url: str = ""
    reached: bool = True
    host: str = ""

    @property
    def where(self) -> str:
        """` (asked http://10.0.0.1/ as Host: shop.example.com)`; empty where it was not asked from here."""
        host = f" as Host: {self.host}" if self.host else ""
        return f" (asked {self.url}{host})" if self.url else ""

    @property
    def answered(self) -> bool:
        """Whether anything came back at all."""
        return self.probe.status is not None


def ask(
    base_url: str,
    request: GoldenRequest,
    host: str | None = None,
    extra_headers: Mapping[str, str] = _NOTHING,
    timeout: float | None = None,
) -> Asked:
    """Ask `base_url` (such as "http://127.0.0.1:8080") one golden request and judge the answer.

    `host` replaces the Host header; `timeout` (seconds, for the whole answer) the request's own. Headers come back
    with lower-case names. Never raises for what the service does: no answer at all is a fault too.
    """
    own, content = encode(request)
    headers = {**own, **extra_headers, **({"Host": host} if host else {})}
    answer = fetch(
        base_url, request.method, request.path, headers=headers, content=content, timeout=timeout or request.timeout
    )
    fault = judge(request, answer)
    probe = Probe(
        name=request.name,
        ok=fault is None,
        status=answer.status,
        seconds=round(answer.seconds, 4),
        problem=fault.problem if fault else "",
    )
    url = base_url.rstrip("/") + request.path
    return Asked(probe=probe, headers=answer.headers, fault=fault, url=url, reached=answer.reached, host=host or "")


def encode(request: GoldenRequest) -> tuple[dict[str, str], bytes | None]:
    """The headers and the body that are sent for a golden request. Pure."""
    content, content_type = _body(request)
    headers = dict(request.headers)
    if content_type and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = content_type
    return headers, content


def judge(request: GoldenRequest, answer: Answer) -> Fault | None:
    """What is wrong with an answer, first thing first; None when it is as expected. Pure."""
    if answer.status is None or answer.problem:
        return Fault("bad-answer", answer.problem or "no answer")
    if (problem := _status_problem(request, answer.status)) is not None:
        return Fault("bad-status", problem, excerpt(answer.body))
    problem = _headers_problem(request.expect.headers, answer.headers) or _body_problem(request, answer.body)
    return Fault("bad-answer", problem) if problem else None


def health_fault(health: HealthSettings, answer: Answer) -> Fault | None:
    """Why an answer on the readiness path does not mean ready; None when it does. Pure."""
    if answer.status is None or answer.problem:
        return Fault("bad-answer", answer.problem or "no answer")
    if answer.status != health.status:
        return Fault("bad-status", f"answered {answer.status}, expected {health.status}")
    if health.json_ is None:
        return None
    problem = _json_problem(health.json_, answer.body, 0.0)
    return Fault("bad-answer", problem) if problem else None


def fetch(
    base_url: str,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] = _NOTHING,
    content: bytes | None = None,
    timeout: float,
) -> Answer:
    """One HTTP exchange on a connection of its own, within `timeout` seconds.

    Never raises for what the other side does. The environment's proxies are for public addresses only.
    """
    import httpx

    started = time.monotonic()
    try:
        far = not _is_near(base_url)
        verify = verify_for(base_url, environment=far)
        with httpx.Client(timeout=timeout, verify=verify, trust_env=far) as client:
            url = base_url.rstrip("/") + path
            with client.stream(method, url, headers=dict(headers), content=content) as response:
                body, problem = _read(response, started + timeout, timeout)
                return Answer(response.status_code, dict(response.headers), body, time.monotonic() - started, problem)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
        seconds, problem = time.monotonic() - started, why_silent(error, base_url, timeout)
        return Answer(status=None, seconds=seconds, problem=problem, reached=not is_unreached(error))


def _read(response: httpx.Response, deadline: float, timeout: float) -> tuple[bytes, str]:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER:
            return bytes(body[:MAX_ANSWER]), f"the answer is larger than {MAX_ANSWER // 10**6} MB"
        if time.monotonic() > deadline:
            return bytes(body), f"the answer was not complete within {timeout:g} s"
    return bytes(body), ""


def _is_near(url: str) -> bool:
    from ipaddress import ip_address

    name = urlsplit(url).hostname or ""
    try:
        return ip_address(name).is_private  # loopback addresses are private too
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _body(request: GoldenRequest) -> tuple[bytes | None, str]:
    if request.json_ is not None:
        return json.dumps(request.json_).encode(), "application/json"
    if request.body is not None:
        return request.body.encode(), "text/plain; charset=utf-8"
    return None, ""


def _status_problem(request: GoldenRequest, status: int) -> str | None:
    expected = request.expect.status
    if request.bad and not 400 <= status <= 499:
        return f"answered {status} to a bad request, expected {expected or '4xx'}"
    if expected is not None and status != expected:
        return f"answered {status}, expected {expected}"
    if expected is None and not request.bad and not 200 <= status <= 299:
        return f"answered {status}, expected 2xx"
    return None


def _headers_problem(expected: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    lowered = {name.lower(): value for name, value in found.items()}
    for name, value in expected.items():
        if name.lower() not in lowered:
            return f"header {name}: expected {value}, found none"
        if lowered[name.lower()] != value:
            return f"header {name}: expected {value}, found {lowered[name.lower()]}"
    return None


def _body_problem(request: GoldenRequest, body: bytes) -> str | None:
    expect = request.expect
    if expect.contains is not None and expect.contains not in body.decode("utf-8", "replace"):
        return f'the answer does not contain "{expect.contains}": {_start(body)}'
    if expect.json_ is None:
        return None
    return _json_problem(expect.json_, body, expect.tolerance)


def _json_problem(expected: Any, body: bytes, tolerance: float) -> str | None:
    try:
        found = parse_json(body)
    except ValueError:
        return f"the answer is not JSON: {_start(body)}"
    return difference(expected, found, tolerance)


def _start(body: bytes) -> str:
    return excerpt(body, 60) or "it is empty"
