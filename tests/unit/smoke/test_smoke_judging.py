"""Which answers are right, and what is said about those that are not."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import GoldenRequest, HealthSettings, Probe
from shipper.smoke.asking import Answer, Asked, encode, health_fault, judge

pytestmark = pytest.mark.unit


def request(**expect: Any) -> GoldenRequest:
    return GoldenRequest(name="predict", path="/predict", expect=expect)


def told(asked: GoldenRequest, status: int | None, body: bytes = b"", problem: str = "", model: str = "") -> str:
    headers = {"x-model": model} if model else {}
    fault = judge(asked, Answer(status=status, headers=headers, body=body, problem=problem))
    return f"{fault.cause}: {fault.problem}" if fault else "right"


def test_any_2xx_is_right_when_nothing_is_said() -> None:
    assert told(request(), 204) == "right"
    assert told(request(), 302) == "bad-status: answered 302, expected 2xx"
    assert told(request(), 500) == "bad-status: answered 500, expected 2xx"


def test_a_status_that_is_asked_for_must_be_that_one() -> None:
    assert told(request(status=201), 201) == "right"
    assert told(request(status=201), 200) == "bad-status: answered 200, expected 201"


def test_a_bad_request_must_be_refused_and_not_accepted_or_crash() -> None:
    bad = GoldenRequest(name="nonsense", bad=True)
    assert told(bad, 422) == "right"
    assert told(bad, 500) == "bad-status: answered 500 to a bad request, expected 4xx"
    assert told(bad, 200) == "bad-status: answered 200 to a bad request, expected 4xx"


def test_json_is_compared_by_what_was_asked_for() -> None:
    wanted = request(json={"prediction": [0]})
    assert told(wanted, 200, b'{"prediction": [0], "took": 3}') == "right"
    assert told(wanted, 200, b'{"prediction": [2]}') == "bad-answer: $.prediction[0]: expected 0, found 2"
    assert told(wanted, 200, b"<html>") == "bad-answer: the answer is not JSON: <html>"
    assert told(wanted, 200, b"") == "bad-answer: the answer is not JSON: it is empty"
    assert told(wanted, 200, b"[" * 100_000).startswith("bad-answer: the answer is not JSON")


def test_text_and_headers_are_looked_for() -> None:
    assert told(request(contains="setosa"), 200, b"it is a setosa") == "right"
    assert told(request(contains="setosa"), 200, b"rose") == 'bad-answer: the answer does not contain "setosa": rose'
    wanted = request(headers={"X-Model": "7"})
    assert told(wanted, 200, model="7") == "right"
    assert told(wanted, 200, model="8") == "bad-answer: header X-Model: expected 7, found 8"
    assert told(wanted, 200) == "bad-answer: header X-Model: expected 7, found none"


def test_no_answer_and_half_an_answer_are_never_right() -> None:
    assert told(request(), None, problem="no answer within 5 s") == "bad-answer: no answer within 5 s"
    assert told(request(), 200, problem="the answer is larger than 10 MB").startswith(
        "bad-answer: the answer is larger"
    )


def test_ready_means_the_status_and_the_members_that_were_asked_for() -> None:
    health = HealthSettings(json_={"status": "READY"})
    assert health_fault(health, Answer(status=200, body=b'{"status": "READY", "gpu": false}')) is None
    starting = health_fault(health, Answer(status=200, body=b'{"status": "STARTING"}'))
    assert starting is not None
    assert starting.problem == '$.status: expected "READY", found "STARTING"'
    assert health_fault(HealthSettings(status=204), Answer(status=200)) is not None


def test_a_json_body_is_sent_as_json_unless_another_type_is_given() -> None:
    headers, body = encode(GoldenRequest(name="p", method="POST", json_={"x": [1]}))
    assert (headers["Content-Type"], body) == ("application/json", b'{"x": [1]}')
    given, _ = encode(GoldenRequest(name="p", method="POST", json_={}, headers={"content-type": "application/x"}))
    assert given == {"content-type": "application/x"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"detail":\n  "model not loaded"}', '{"detail": "model not loaded"}'),
        (b"", ""),
        (b"cannot reach postgresql://shop:hunter2@db/shop", "cannot reach postgresql://***@db/shop"),
        (b"\x1b[31mred\x00", "\\x1b[31mred\\x00"),
        (b"x" * 5_000_000, "\u2026"),
        (b"word " * 100, "word " * 38 + "word\u2026"),
        (b'{"why":"' + b"w" * 150 + b'","token":"' + b"s" * 100 + b'"}', '{"why":"' + "w" * 150 + '","token":\u2026'),
        (b" " * 1990 + b"half-a-secret", "\u2026"),
    ],
)
def test_what_came_with_a_wrong_status_can_be_told(body: bytes, said: str) -> None:
    fault = judge(request(), Answer(status=503, body=body))
    assert fault is not None
    assert fault.said == said
    assert fault.problem == "answered 503, expected 2xx", "what is recorded has nothing of it"


def test_what_was_asked_from_here_is_told_with_the_host_that_was_asked_for() -> None:
    probe = Probe(name="predict", ok=True, seconds=0.0)
    assert Asked(probe, {}, None).where == ""
    assert Asked(probe, {}, None, url="http://10.0.0.1/").where == " (asked http://10.0.0.1/)"
    asked = Asked(probe, {}, None, url="http://10.0.0.1/", host="shop.example.com")
    assert asked.where == " (asked http://10.0.0.1/ as Host: shop.example.com)"
