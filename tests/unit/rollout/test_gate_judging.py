"""From counters to verdicts: deltas, resets, shares, quantiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.model import GateSettings, Traffic
from shipper.rollout.gate_judging import added, judge_error_rate, judge_latency, quantile

pytestmark = pytest.mark.unit

BOUNDS = (0.01, 0.05, 0.1, 0.25, 1.0, 2.5)


def counted(seconds: list[float], errors: int = 0) -> Traffic:
    buckets = {bound: sum(one <= bound for one in seconds) for bound in BOUNDS}
    return Traffic(requests=len(seconds), errors=errors, buckets=buckets)


@given(st.lists(st.lists(st.floats(0, 2.4), max_size=5), min_size=1, max_size=8), st.sets(st.integers(0, 7)))
def test_every_request_counts_once_whenever_counting_begins_anew(came: list[list[float]], resets: set[int]) -> None:
    """A reset is seen when the first reading after it is lower than the last one before."""
    total, last, reading, expected = Traffic(), Traffic(), list[float](), list[float]()
    for at, new in enumerate(came):
        visible = at in resets and len(new) < len(reading)
        reading = list(new) if visible else reading + new
        expected += new
        now = counted(reading)
        total, last = added(total, last, now), now
    assert total.requests == len(expected)
    assert total.buckets == counted(expected).buckets


def test_a_share_within_and_beyond_what_is_allowed() -> None:
    gate = GateSettings(error_rate=0.01, min_requests=20)
    fine = judge_error_rate(Traffic(requests=1000, errors=10), gate)
    bad = judge_error_rate(Traffic(requests=1000, errors=11), gate)
    assert fine is not None
    assert bad is not None
    assert (fine.ok, bad.ok) == (True, False)
    assert bad.reason == "11 of 1000 requests failed (1.1 %), allowed 1 %"
    assert bad.measured == {"requests": 1000.0, "errors": 11.0, "rate": 0.011}


@pytest.mark.parametrize(("requests", "least"), [(19, 20), (0, 0)])
def test_too_few_requests_say_nothing(requests: int, least: int) -> None:
    judged = judge_error_rate(Traffic(requests=requests), GateSettings(min_requests=least))
    assert judged is not None
    assert judged.ok is None
    assert f"{requests} requests" in judged.reason


def test_what_is_not_asked_for_is_not_judged() -> None:
    assert judge_error_rate(Traffic(requests=9), GateSettings(error_rate=None)) is None
    assert judge_latency(Traffic(requests=9), GateSettings()) is None


def test_a_quantile_is_estimated_within_its_bucket_and_bounded_by_it() -> None:
    judged = judge_latency(counted([0.02] * 90 + [0.5] * 10), GateSettings(latency=0.3, min_requests=1))
    assert judged is not None
    assert judged.ok is False
    assert judged.reason == "p95 is about 0.625 s (at most 1 s), allowed 0.3 s"


def test_beyond_the_last_bucket_only_a_smaller_limit_is_judged() -> None:
    slow = counted([3.0] * 50)
    for limit, ok in ((1.0, False), (2.5, False), (5.0, None)):
        judged = judge_latency(slow, GateSettings(latency=limit, min_requests=1))
        assert judged is not None
        assert judged.ok is ok, limit


@given(st.lists(st.floats(0.001, 2.4), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_the_true_quantile_is_never_above_the_bound_that_is_told(seconds: list[float], share: float) -> None:
    found = quantile(counted(seconds), share)
    assert found is not None
    estimate, at_most = found
    within = sum(one <= at_most for one in seconds)
    assert within >= share * len(seconds)
    assert 0 <= estimate <= at_most
