"""Events in words, for people: pure text, without colours, and safe for any terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from shipper.model.event import EvidenceFound, GateJudged, StageFinished, StageProgress, TrafficShifted
from shipper.model.quantities import show_duration, show_size

SHOWN_FINDINGS = 5

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """One line without escape sequences, control characters and direction marks: logs come from anywhere."""
    return _CONTROLS.sub(" ", _ESCAPES.sub("", text))


def ending(event: StageFinished) -> str:
    """How a stage ended: `done in 12.3 s: 4f2a…, 145.2 MB`."""
    took = show_duration(event.seconds)
    how = {
        "done": f"done in {took}",
        "reused": "nothing changed, reused",
        "failed": f"FAILED after {took}",
        "cancelled": f"cancelled after {took}",
    }[event.status]
    return printable(f"{how}: {event.summary}" if event.summary else how)


def doing(event: StageProgress) -> str:
    """What a stage does and how far it is: `pushing layers, 45.2 MB of 120.0 MB`."""
    how_far = amount(event.done, event.total, event.unit)
    return printable(f"{event.text}, {how_far}" if how_far else event.text)


def amount(done: float | None, total: float | None, unit: str) -> str:
    """`45.2 MB of 120.0 MB`, `3 of 7`, `40 %`; empty when nothing is known."""
    if done is None:
        return ""
    if unit == "percent":
        return f"{done:.0f} %"
    known = [value for value in (done, total) if value is not None]
    return " of ".join(show_size(int(value)) if unit == "bytes" else f"{round(value, 1):g}" for value in known)


def evidence_lines(event: EvidenceFound) -> list[str]:
    """A piece of evidence that somebody should see; nothing when it passed without a remark of its own."""
    evidence = event.evidence
    status = evidence.get("status")
    if status == "passed":
        return []
    lines = [f"{status}: {evidence.get('reason') or evidence.get('type', 'evidence')}"]
    findings: list[dict[str, Any]] = list(evidence.get("findings", ()))
    if status == "failed":
        lines += [f"  {finding_line(finding)}" for finding in findings[:SHOWN_FINDINGS]]
        if len(findings) > SHOWN_FINDINGS:
            lines.append(f"  and {len(findings) - SHOWN_FINDINGS} more")
    return [printable(line) for line in lines]


def finding_line(finding: dict[str, Any]) -> str:
    """`critical CVE-2025-1234 openssl 3.0.1: title (fixed in 3.0.2)`."""
    severity = finding.get("severity", "unknown")
    words = [severity if severity != "unknown" else "", str(finding.get("id", "")), str(finding.get("where", ""))]
    fix = f" ({finding['fix']})" if finding.get("fix") else ""
    return f"{' '.join(word for word in words if word)}: {finding.get('title', '')}{fix}"


def traffic(event: TrafficShifted) -> str:
    """`traffic: iris-42 100 %, iris-41 0 %`."""
    weights = ", ".join(f"{name} {weight} %" for name, weight in event.weights.items())
    what = "putting traffic back" if event.putting_back else "traffic"
    return printable(f"{what}: {weights or 'nothing serves'}")


def gate_judged(event: GateJudged) -> str:
    """`gate error-rate at 10 % on iris-42: passed, 0.2 % of 512 requests`."""
    reason = f", {event.reason}" if event.reason else ""
    passed = "passed" if event.ok else "FAILED"
    return printable(f"gate {event.gate} at {event.weight} % on {event.revision}: {passed}{reason}")


def wrapped(items: Iterable[str], width: int, separator: str = " · ") -> list[str]:
    """Items joined into lines of at most `width` characters; an item is never broken."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(separator) + len(item) <= width:
            lines[-1] += separator + item
        else:
            lines.append(item)
    return lines
