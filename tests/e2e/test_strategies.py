"""Canary and blue-green under load: shares as asked for, gates that judge, and nobody who loses a request."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Host
from tests.e2e.machine import Ended
from tests.e2e.projects import QUICK, write_service
from tests.rig import load

pytestmark = pytest.mark.e2e

CANARY = {"strategy": "canary", "steps": [10, 50], "bake": "3s", "gate": {"min_requests": 10}}
BLUE_GREEN = {"strategy": "blue-green", "bake": "2s"}


def release(host: Host, folder: Path, version: str, rollout: dict[str, Any], **more: Any) -> Ended:
    write_service(folder, version=version, settings=host.settings(rollout=rollout, **QUICK), **more)
    return host.release(folder)


def shares(ended: Ended) -> list[tuple[int, bool]]:
    """What the new revision got, step by step, and whether that was putting back."""
    revision = ended.finished["serves"]["revision"] if ended.code == 0 else ""
    shifts = [event for event in ended.events if event["event"] == "traffic-shifted"]
    return [(event["weights"].get(revision, 0), event["putting_back"]) for event in shifts]


def test_canary_blue_green_and_rollback_lose_no_request_and_slow_ones_end(host: Host, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    assert release(host, shop, "1", {}).code == 0
    with (
        load.start(host.port, rate=200, seconds=240, timeout=10) as quick,
        load.start(host.port, rate=5, seconds=240, timeout=10, path="/slow?seconds=2") as slow,
    ):
        canary = release(host, shop, "2", CANARY)
        blue_green = release(host, shop, "3", BLUE_GREEN)
        back = host.run("rollback", "--service", "shop", "--json")
        results = quick.stop(), slow.stop()
    assert (canary.code, blue_green.code, back.code) == (0, 0, 0), (canary, blue_green, back)
    assert shares(canary) == [(10, False), (50, False), (100, False)]
    assert shares(blue_green) == [(100, False)]
    assert back.finished["serves"]["rollback_to"] == 2
    assert host.ask().json["version"] == "2"
    assert [result.failed for result in results] == [0, 0], results
    served = Counter(results[0].by_revision)
    assert len(served) == 3, "each of the three releases had its share"


def test_a_canary_that_answers_with_errors_is_put_back_by_the_gate(host: Host, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    assert release(host, shop, "1", {}, golden=False).code == 0
    with load.start(host.port, rate=100, seconds=120, timeout=10) as users:
        ended = release(host, shop, "2", CANARY, behaviour="error", golden=False)
        result = users.stop()
    assert (ended.code, ended.finished["cause"]) == (21, "gate"), ended
    judged = [event for event in ended.events if event["event"] == "gate-judged" and not event["ok"]]
    assert [(event["gate"], event["weight"]) for event in judged] == [("error-rate", 10)]
    assert shares(ended)[-1] == (0, True)
    assert host.ask().json["version"] == "1"
    assert set(result.failures) == {"http 500"}, "only what the canary itself answered was wrong"
    assert result.failed < result.sent / 5, "and only its share of the requests met it"
