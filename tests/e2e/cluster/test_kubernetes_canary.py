"""A canary by the Gateway API: shares that users really get, what the gates said at each step, and the way back."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster.conftest import Cluster
from tests.e2e.cluster.kube_scenarios import SECOND
from tests.e2e.cluster.tiny_cluster import KubePlaces, TinyCluster
from tests.e2e.killing.signalled import Run
from tests.e2e.machine import Ended
from tests.e2e.projects import QUICK, write_service
from tests.e2e.tiny_place import canary

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STEPS = canary("4s")
AT_ONCE = 20
"""Requests between two looks at the route: all of them went by the same weights."""
FEWEST = 40
"""Requests by which a share is judged."""


def share(place: TinyCluster, old: str) -> int:
    """What the route gives to what is not the old revision."""
    return sum(weight for name, weight in place.serves.items() if name != old)


def shares_of_users(place: TinyCluster, run: Run, old: str) -> dict[int, Counter[str]]:
    """Percent of the new revision, as the route has it, to the texts that users got meanwhile."""
    found: dict[int, Counter[str]] = defaultdict(Counter)
    while run.process.poll() is None:
        before = share(place, old)
        got = Counter(place.cluster.ask().text for _ in range(AT_ONCE))
        if share(place, old) == before:
            found[before] += got
    return found


def told(ended: Ended, event: str) -> list[dict[str, Any]]:
    return [one for one in ended.events if one["event"] == event]


def test_users_get_the_shares_of_each_step_and_the_gates_say_why_it_went_on(kube_places: KubePlaces) -> None:
    attempt = SECOND["canary"].prepare(kube_places)
    place = attempt.place
    (old,) = place.serves
    place.write(attempt.wanted, **STEPS)
    run = Run(place.start(*attempt.words))
    got = shares_of_users(place, run, old)
    ended = run.end()

    assert ended.code == 0, ended
    for percent, least, most in ((10, 0.05, 0.2), (50, 0.4, 0.6)):
        answers = got[percent]
        assert answers.total() >= FEWEST, dict(got)
        assert set(answers) == attempt.allowed, answers
        assert least <= answers[attempt.wanted] / answers.total() <= most, answers
    assert set(got[0]) <= {attempt.served}
    assert place.text() == attempt.wanted

    new = ended.finished["serves"]["revision"]
    shifts = [one["weights"] for one in told(ended, "traffic-shifted")]
    assert shifts == [{old: 90, new: 10}, {old: 50, new: 50}, {new: 100}]
    judged = [(one["gate"], one["weight"], one["ok"], one["revision"]) for one in told(ended, "gate-judged")]
    assert judged == [("golden", 10, True, new), ("golden", 50, True, new)]
    assert any("counts no requests" in one["text"] for one in told(ended, "remark"))
    assert ended.finished["serves"]["proof"] == "answer"


def test_a_gate_that_fails_puts_all_of_the_traffic_back(kube_places: KubePlaces) -> None:
    attempt = SECOND["canary"].prepare(kube_places)
    place = attempt.place
    (old,) = place.serves
    gate = {"gate": {"command": ["sh", "-c", 'test "$SHIPPER_WEIGHT" -lt 50']}}
    place.write(attempt.wanted, rollout={**STEPS["rollout"], "bake": "300ms", **gate})
    ended = place.run(*attempt.words)
    assert (ended.code, ended.finished["cause"]) == (21, "gate"), ended
    failed = [(one["gate"], one["weight"]) for one in told(ended, "gate-judged") if not one["ok"]]
    assert failed == [("command", 50)]
    assert told(ended, "traffic-shifted")[-1]["putting_back"]
    assert place.serves == {old: 100}
    assert place.text() == attempt.served
    assert place.left_over() == []


def test_after_a_canary_a_rollback_from_nowhere_is_one_shift_and_as_warm(kube_places: KubePlaces) -> None:
    attempt = SECOND["canary"].prepare(kube_places)
    place = attempt.place
    (old,) = place.serves
    assert attempt.run().code == 0
    back = place.cluster.from_nowhere("rollback")
    assert back.code == 0, back
    assert [one["weights"] for one in told(back, "traffic-shifted")] == [{old: 100}]
    assert place.text() == attempt.served
    kube_places.give_up("canary")  # that ledger does not know of it


def test_inside_the_cluster_the_answer_names_the_revision(cluster: Cluster, tmp_path: Path) -> None:
    """Without a way in from outside the API server asks a ready pod of the Service: that is identity."""
    nothing: dict[str, Any] = {"targets": {"kubernetes": {"ingress": None, "address": None}}}
    settings = cluster.settings(**QUICK, rollout={"strategy": "blue-green", "bake": "300ms"}, **nothing)
    write_service(tmp_path / "shop", version="1", settings=settings)
    ended = cluster.release(tmp_path / "shop")
    assert ended.code == 0, ended
    assert ended.finished["serves"]["proof"] == "identity"
