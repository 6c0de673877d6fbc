"""Verification: what serves now, and how well that is proved.

Three levels: *routing* (the platform reads back our weights), *answer* (the golden requests are answered through
the address), *identity* (the answer names the revision). The weakest link decides; nothing is assumed.
"""

from __future__ import annotations

import time

from shipper.errors import PlatformError
from shipper.model import (
    Address,
    Expectation,
    GoldenRequest,
    HealthSettings,
    Observation,
    SmokeSettings,
    Verdict,
)
from shipper.model.context import Cancellation
from shipper.smoke.asking import Answer, ask
from shipper.targets import Target

PATIENCE = 5.0
"""Seconds in which a routing change must reach the address: proxies and load balancers are not instant."""


def golden_requests(health: HealthSettings, smoke: SmokeSettings) -> tuple[GoldenRequest, ...]:
    """The readiness path and every golden request that may be asked of what serves."""
    readiness = GoldenRequest(
        name=f"ready at {health.path}",
        path=health.path,
        expect=Expectation(status=health.status, json=health.json_),
        timeout=health.timeout,
    )
    return (readiness, *(request for request in smoke.requests if request.verify))


def verify(
    target: Target,
    revision: str,
    health: HealthSettings,
    smoke: SmokeSettings,
    cancel: Cancellation,
) -> Verdict:
    """Whether `revision` has all traffic and answers as it must, and at which level that is proved."""
    try:
        observation = target.observe()
    except PlatformError as error:
        return Verdict(ok=False, proof="none", reason=f"the platform could not be read back: {error}")
    routing = _routing(observation, revision)
    if not routing.ok or observation.address is None:
        return routing
    return _answers(observation.address, revision, golden_requests(health, smoke), cancel)


def _routing(observation: Observation, revision: str) -> Verdict:
    weights = {serving.name: serving.weight for serving in observation.serving}
    if weights == {revision: 100}:
        return Verdict(ok=True, proof="routing")
    found = ", ".join(f"{name} {weight} %" for name, weight in weights.items()) or "nothing"
    return Verdict(ok=False, proof="none", reason=f"expected {revision} to have all traffic, found {found}")


def _answers(address: Address, revision: str, requests: tuple[GoldenRequest, ...], cancel: Cancellation) -> Verdict:
    answers: list[Answer] = []
    for request in requests:
        answer = _until_right(address, revision, request, cancel)
        answers.append(answer)
        if not answer.probe.ok:
            return _verdict(False, "routing", f"{request.name}: {answer.probe.problem}", answers)
        if answer.revision is not None and answer.revision != revision:
            return _verdict(False, "routing", f"{request.name}: answered by {answer.revision}", answers)
    named = all(answer.revision == revision for answer in answers)
    return _verdict(True, "identity" if named else "answer", "", answers)


def _until_right(address: Address, revision: str, request: GoldenRequest, cancel: Cancellation) -> Answer:
    """The first answer that is right, else the last one; only repeatable requests are asked again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = ask(address.url, request, host=address.host)
        right = answer.probe.ok and answer.revision in (None, revision)
        repeatable = request.method in ("GET", "HEAD", "OPTIONS")
        if right or not repeatable or time.monotonic() >= deadline or cancel.wait(0.1):
            return answer


def _verdict(ok: bool, proof: str, reason: str, answers: list[Answer]) -> Verdict:
    return Verdict.model_validate(
        {
            "ok": ok,
            "proof": proof,
            "reason": reason,
            "probes": [answer.probe.model_dump(mode="json") for answer in answers],
        }
    )
