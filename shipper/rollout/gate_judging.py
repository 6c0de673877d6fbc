"""What the counters of a bake time say about a revision: pure functions from counts to verdicts with figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from shipper.model import GateSettings, Traffic

Gate = Literal["error-rate", "latency", "golden", "command"]


@dataclass(frozen=True)
class Judged:
    """A gate's verdict. `ok` is None when the figures say nothing: too few requests, or beyond what is counted."""

    gate: Gate
    ok: bool | None
    reason: str
    measured: dict[str, float] = field(default_factory=dict)


def added(total: Traffic, last: Traffic, now: Traffic) -> Traffic:
    """`total` and what came since `last`. A reading below the last one means that counting began anew."""
    began_anew = now.requests < last.requests or now.errors < last.errors
    since = Traffic() if began_anew else last
    bounds = {*total.buckets, *now.buckets}
    return Traffic(
        requests=total.requests + now.requests - since.requests,
        errors=total.errors + now.errors - since.errors,
        buckets={
            bound: total.buckets.get(bound, 0) + max(0, now.buckets.get(bound, 0) - since.buckets.get(bound, 0))
            for bound in sorted(bounds)
        },
    )


def judge_error_rate(traffic: Traffic, gate: GateSettings) -> Judged | None:
    """The share of requests that failed; None when it is not asked for."""
    if gate.error_rate is None:
        return None
    if few := _too_few("error-rate", traffic, gate):
        return few
    rate = traffic.errors / max(1, traffic.requests)
    failed = f"{traffic.errors} of {traffic.requests} requests failed ({_percent(rate)})"
    measured = {"requests": float(traffic.requests), "errors": float(traffic.errors), "rate": rate}
    return Judged("error-rate", rate <= gate.error_rate, f"{failed}, allowed {_percent(gate.error_rate)}", measured)


def judge_latency(traffic: Traffic, gate: GateSettings) -> Judged | None:
    """The quantile of the latency, from the histogram; None when it is not asked for.

    Within a bucket the requests are taken to be spread evenly, so the figure is an estimate; the bucket's upper bound,
    which it is at most, is told with it. Beyond the last bound nothing is counted.
    """
    if gate.latency is None:
        return None
    if few := _too_few("latency", traffic, gate):
        return few
    name = f"p{gate.quantile * 100:g}"
    found = quantile(traffic, gate.quantile)
    if found is None:
        return _beyond(name, traffic, gate.latency)
    estimate, at_most = found
    reason = f"{name} is about {estimate:.3g} s (at most {at_most:g} s), allowed {gate.latency:g} s"
    measured = {"requests": float(traffic.requests), "seconds": estimate, "at_most": at_most}
    return Judged("latency", estimate <= gate.latency, reason, measured)


def quantile(traffic: Traffic, share: float) -> tuple[float, float] | None:
    """(estimate, upper bound) in seconds of this quantile; None beyond the last bucket, or without any request."""
    rank = share * traffic.requests
    below, lower = 0, 0.0
    for bound, count in sorted(traffic.buckets.items()):
        if rank <= count and count > below:
            return lower + (bound - lower) * max(0.0, rank - below) / (count - below), bound
        below, lower = max(below, count), bound
    return None


def _beyond(name: str, traffic: Traffic, allowed: float) -> Judged:
    last = max(traffic.buckets, default=0.0)
    measured = {"requests": float(traffic.requests), "at_least": last}
    if not traffic.buckets or allowed > last:
        reason = f"{name} is beyond {last:g} s, where nothing is counted: {allowed:g} s cannot be judged"
        return Judged("latency", None, reason, measured)
    return Judged("latency", False, f"{name} is more than {last:g} s, allowed {allowed:g} s", measured)


def _too_few(gate: Gate, traffic: Traffic, settings: GateSettings) -> Judged | None:
    if traffic.requests and traffic.requests >= settings.min_requests:
        return None
    reason = f"{traffic.requests} requests, and {settings.min_requests} are needed to judge"
    return Judged(gate, None, reason, {"requests": float(traffic.requests)})


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
