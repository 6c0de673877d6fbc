"""What a trial found, as evidence. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shipper.model import Dossier, Finding, Image, Probe, Smoke
from shipper.model.quantities import show_duration, show_size
from shipper.smoke.stopping import Stopped
from shipper.targets.diagnosis import architecture, tail_of
from shipper.targets.log_patterns import has_traceback

_KILLED = 137
_OF_GPUS = re.compile(r"\bGPUs?\b|CUDA|NVIDIA")


def failure(image: Image, dossier: Dossier, probes: Sequence[Probe] = (), findings: Sequence[Finding] = ()) -> Smoke:
    """The evidence about a candidate that did not stay up, or was never ready."""
    finding = Finding(
        id=dossier.cause,
        title=dossier.reason,
        severity="high",
        where="the candidate",
        fix=dossier.hint,
        kind="smoke",
    )
    return Smoke(
        subject=image.config_digest,
        status="failed",
        reason=dossier.reason,
        findings=(finding, *findings),
        probes=tuple(probes),
        log_tail=dossier.log_tail,
    )


def outcome(
    image: Image,
    probes: Sequence[Probe],
    findings: Sequence[Finding],
    *,
    started_in: float,
    stopped: Stopped,
    peak_memory: int | None,
    log: Sequence[str],
) -> Smoke:
    """The evidence about a candidate that was ready and was asked."""
    faults = [finding for finding in findings if finding.severity == "high"]
    memory = f", {show_size(peak_memory)} at the peak" if peak_memory else ""
    right = sum(probe.ok for probe in probes)
    summary = f"ready in {show_duration(started_in)}, {right} of {len(probes)} requests as expected{memory}"
    return Smoke(
        subject=image.config_digest,
        status="failed" if faults else "passed",
        reason=_first_fault(faults) if faults else summary,
        findings=tuple(findings),
        started_in=round(started_in, 3),
        stopped_in=None if stopped.seconds is None else round(stopped.seconds, 3),
        peak_memory=peak_memory,
        probes=tuple(probes),
        log_tail=tail_of(log),
    )


def remarks(
    image: Image, engine_platform: str, user: str, log: Sequence[str], stopped: Stopped, grace: float
) -> list[Finding]:
    """What a reader should know about a candidate although it did what it must: findings of low severity."""
    found = []
    if user.partition(":")[0] in {"", "0", "root"}:
        found.append(_low("runs-as-root", "runs as root", "add a USER to the Dockerfile, such as USER 1000"))
    if has_traceback(log):
        found.append(_low("traceback", "printed a traceback although it answered", "read the candidate's log"))
    if architecture(image.platform) != architecture(engine_platform):
        title = f"ran emulated: it is for {image.platform}, tried on {engine_platform}, so its times say little"
        found.append(_low("emulated", title, f"try it on an engine of {image.platform}"))
    if stopped.seconds is None:
        title = f"ignores SIGTERM: killed after {show_duration(grace)}, so requests under way were cut off"
        found.append(_low("stop-ignored", title, "keep [run] init = true, or handle SIGTERM; or raise stop_grace"))
    elif stopped.exit_code == _KILLED:
        found.append(_low("stop-ignored", "was killed, not ended, by its stop signal", "end by itself on SIGTERM"))
    return found


def without_gpus(found: Smoke, *, asked: int, given: int) -> Smoke:
    """The same, saying which of the GPUs that production has were not there: nothing is known of what runs on them."""
    if given >= asked:
        return found
    its = "its GPU" if asked == 1 else f"its {asked} GPUs"
    less = f"with {given} of {its}" if given else f"without {its}"
    words = f"smoke-tested {less} ([smoke] gpu = {given}, [run] gpu = {asked})"
    if found.status != "failed":
        finding = _low("without-gpu", words, "try it where there is one, with [smoke] gpu left out")
        reason, findings = f"{found.reason}, {less}", (*found.findings, finding)
    else:
        fix = "start on the CPU where there is none; or try it on an engine that has one, with [smoke] gpu left out"
        finding, reason = _low("without-gpu", words, fix), found.reason
        # What the gate says to do is the first: of a missing GPU the general advice, [run] gpu, is done already.
        findings = (finding, *found.findings) if _OF_GPUS.search(reason) else (*found.findings, finding)
    return found.model_copy(update={"reason": reason, "findings": findings, "remarks": (*found.remarks, words)})


def _first_fault(faults: Sequence[Finding]) -> str:
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return faults[0].title + more


def _low(identity: str, title: str, fix: str) -> Finding:
    return Finding(id=identity, title=title, severity="low", where="the candidate", fix=fix, kind="smoke")
