"""Verification: what serves now, and how well that is proved.

Three levels: *routing* (the platform reads back our weights), *answer* (the golden requests are answered through
the address), *identity* (the answer names the revision). The weakest link decides; nothing is assumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Literal

from shipper.errors import Denied, PlatformError
from shipper.model import (
    Address,
    Expectation,
    GoldenRequest,
    HealthSettings,
    Observation,
    Probe,
    ProbeRequest,
    SmokeSettings,
    Verdict,
)
from shipper.model.context import Cancellation
from shipper.smoke.asking import Answer, Asked, ask, encode, judge
from shipper.targets import AsksInside, Authorizes, Target

Ask = Callable[[GoldenRequest], Asked]

REVISION_HEADER = "x-shipper-revision"
"""The answer header by which a target's proxy names the revision that answered."""

REPEATABLE = ("GET", "HEAD", "OPTIONS")

PATIENCE = 5.0
"""Seconds in which a routing change must reach the address: proxies and load balancers are not instant."""


def golden_requests(health: HealthSettings, smoke: SmokeSettings) -> tuple[GoldenRequest, ...]:
    """The readiness path and every golden request that may be asked of what serves."""
    readiness = GoldenRequest(
        name=f"ready at {health.path}",
        path=health.path,
        expect=Expectation(status=health.status, json_=health.json_, tolerance=0.0),
        timeout=health.timeout,
    )
    return (readiness, *(request for request in smoke.requests if request.verify))


def mend(request: GoldenRequest, *, is_first: bool) -> str:
    """What to do where the service answers a golden request wrongly; the first one is for the readiness path."""
    expected = "[health] path and status" if is_first else f'what [[smoke.requests]] "{request.name}" expects'
    return (
        f"mend the service, or {expected}; where the smoke test had the right answer, look at what differs here: "
        "[run.secrets], volumes, what it asks over the network"
    )


def words_of(said: str) -> tuple[str, ...]:
    """How a wrong answer begins, as a line beside the error."""
    return (f"it answered: {said}",) if said else ()


def as_probe(request: GoldenRequest) -> ProbeRequest:
    """A golden request as targets take it."""
    headers, body = encode(request)
    return ProbeRequest(
        method=request.method, path=request.path, headers=headers, body=body or b"", timeout=request.timeout
    )


def verify(
    target: Target,
    revision: str,
    health: HealthSettings,
    smoke: SmokeSettings,
    cancel: Cancellation,
    *,
    routing_only: bool = False,
) -> Verdict:
    """Whether `revision` has all traffic and answers as it must, and at which level that is proved.

    An address that cannot be reached from here is asked from where the target is. `routing_only` for what is not ours:
    nobody has said how it must answer.
    """
    try:
        observation = _settled(target, cancel)
    except PlatformError as error:
        return Verdict(ok=False, proof="none", reason=f"the platform could not be read back: {error}")
    routing = _routing(observation, revision)
    if not routing.ok or observation.address is None or routing_only:
        return routing
    try:
        asking = _asking(target, observation.address)
    except Denied as error:
        return routing.model_copy(update={"reason": f"the address is not for us to ask: {error}"})
    except PlatformError as error:
        return Verdict(ok=False, proof="routing", reason=f"the address could not be asked: {error}")
    if asking is None:
        return routing.model_copy(update={"reason": "the address cannot be asked from here"})
    first, *others = golden_requests(health, smoke)
    patience = PATIENCE
    if target.traits.scales_to_zero:  # the first request may have to wait for an instance
        first = first.model_copy(update={"timeout": max(health.timeout, health.startup)})
        patience = max(PATIENCE, health.startup)
    return _answers(asking, observation.address, revision, (first, *others), cancel, patience)


def _settled(target: Target, cancel: Cancellation) -> Observation:
    """What the platform says when it has done its work, or after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while True:
        now = target.observe()
        if now.unsettled is None or time.monotonic() >= deadline or cancel.wait(0.1):
            return now


def _routing(observation: Observation, revision: str) -> Verdict:
    if observation.unsettled is not None:
        return Verdict(ok=False, proof="none", reason=f"the platform is still at work on {observation.unsettled}")
    weights = {serving.name: serving.weight for serving in observation.serving}
    if weights == {revision: 100}:
        return Verdict(ok=True, proof="routing")
    found = ", ".join(f"{name} {weight} %" for name, weight in weights.items()) or "nothing"
    return Verdict(ok=False, proof="none", reason=f"expected {revision} to have all traffic, found {found}")


def _asking(target: Target, address: Address) -> Ask | None:
    """How the address is asked: from here, else from inside; None when neither is possible.

    Raises Denied when what lets us in is not for us to have, Transient when it could not be had now.
    """
    if address.reach == "internal":
        return partial(_ask_inside, target) if isinstance(target, AsksInside) else None
    if address.reach != "authenticated":
        return lambda request: ask(address.url, request, host=address.host)
    if not isinstance(target, Authorizes):
        return None
    headers = target.authorization()
    return lambda request: ask(address.url, request, host=address.host, extra_headers=headers)


def _ask_inside(target: AsksInside, request: GoldenRequest) -> Asked:
    started = time.monotonic()
    try:
        response = target.ask(as_probe(request))
    except PlatformError as error:
        answer = Answer(status=None, problem=f"no answer: {error}")
    else:
        headers = {name.lower(): value for name, value in response.headers.items()}
        if response.revision is not None:
            headers.setdefault(REVISION_HEADER, response.revision)
        answer = Answer(status=response.status, headers=headers, body=response.body)
    fault = judge(request, answer)
    probe = Probe(
        name=request.name,
        ok=fault is None,
        status=answer.status,
        seconds=round(time.monotonic() - started, 4),
        problem=fault.problem if fault else "",
    )
    return Asked(probe=probe, headers=answer.headers, fault=fault)


def _answers(
    asking: Ask,
    address: Address,
    revision: str,
    requests: tuple[GoldenRequest, ...],
    cancel: Cancellation,
    patience: float,
) -> Verdict:
    """`patience`: seconds for the first request to be answered rightly; PATIENCE for the others."""
    asked: list[Asked] = []
    for request in requests:
        answer = _until_right(asking, revision, request, cancel, PATIENCE if asked else patience)
        asked.append(answer)
        if problem := _problem(answer, revision):
            verdict = _verdict(False, "routing", f"{request.name}: {problem}{answer.where}", asked)
            is_first = len(asked) == 1
            more = {
                "hint": _next_step(address, request, answer, is_first=is_first),
                "unreached": problem if is_first and not answer.reached else "",
                "said": answer.fault.said if answer.fault is not None else "",
            }
            return verdict.model_copy(update=more)
    named = all(_revision(answer) == revision for answer in asked)
    return _verdict(True, "identity" if named else "answer", "", asked)


def _next_step(address: Address, request: GoldenRequest, answer: Asked, *, is_first: bool) -> str:
    """What to do about a wrong answer. The first one may not be the service's at all."""
    if is_first and not answer.reached:
        return address.unreached
    if is_first and answer.answered and _revision(answer) is None and address.misled:
        return address.misled
    return mend(request, is_first=is_first)


def _until_right(asking: Ask, revision: str, request: GoldenRequest, cancel: Cancellation, patience: float) -> Asked:
    """The first answer that is right, else the last one; only repeatable requests are asked again."""
    deadline = time.monotonic() + patience
    while True:
        asked = asking(request)
        again = request.method in REPEATABLE and time.monotonic() < deadline
        if not _problem(asked, revision) or not again or cancel.wait(0.1):
            return asked


def _problem(asked: Asked, revision: str) -> str:
    """Empty when the answer is right and does not come from another revision."""
    if asked.fault is not None:
        return asked.fault.problem
    other = _revision(asked)
    return f"answered by {other}" if other not in (None, revision) else ""


def _revision(asked: Asked) -> str | None:
    return asked.headers.get(REVISION_HEADER)


def _verdict(ok: bool, proof: Literal["routing", "answer", "identity"], reason: str, asked: list[Asked]) -> Verdict:
    probes = tuple(answer.probe.model_dump(mode="json") for answer in asked)
    return Verdict(ok=ok, proof=proof, reason=reason, probes=probes)
