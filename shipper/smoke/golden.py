"""Asking a ready candidate its golden requests, all of them, so that one report names every fault."""

from __future__ import annotations

from shipper.model import Finding, GoldenRequest, Probe
from shipper.smoke.asking import Asked, ask
from shipper.smoke.trial import Trial
from shipper.targets.diagnosis import shorten

_MOST_UNANSWERED = 3  # after so many requests without any answer, the rest would only cost their time-outs

_NEWS = 0.3  # seconds that the engine's word about a death may take


def ask_all(trial: Trial, base_url: str) -> tuple[tuple[Probe, ...], tuple[Finding, ...]]:
    """A probe for each request that was asked, a finding for each fault. Stops when the candidate has ended."""
    probes: list[Probe] = []
    findings: list[Finding] = []
    unanswered = 0
    requests = trial.smoke.requests
    for number, request in enumerate(requests, 1):
        trial.cancel.check()
        trial.report.progress(f"asking {request.name}", number, len(requests), "steps")
        asked = ask(base_url, request)
        trial.cancel.check()
        probes.append(asked.probe.model_copy(update={"problem": trial.clean(asked.probe.problem)}))
        findings += _findings(trial, request, asked)
        if not asked.answered:
            unanswered += 1
            trial.candidate.watch.wait_for_exit(_NEWS)  # the connection of a process that dies closes first
        if trial.candidate.ended() or trial.candidate.ran_out_of_memory() or unanswered >= _MOST_UNANSWERED:
            break
    return tuple(probes), tuple(findings)


def _findings(trial: Trial, request: GoldenRequest, asked: Asked) -> list[Finding]:
    if asked.fault is None:
        return []
    return [
        Finding(
            id=asked.fault.cause,
            title=shorten(f"{request.name}: {trial.clean(asked.fault.problem)}", 200),
            severity="high",
            where=f"{request.method} {request.path}",
            fix="a bad request must be refused with 4xx" if request.bad else "correct the service, or the expectation",
            kind="smoke",
        )
    ]
