"""When a cluster was at work on a Deployment: from what a watch saw."""

from typing import Any

import pytest

from benchmarks.kubernetes_rollouts import is_complete, rollouts_in
from benchmarks.platform_time import covered

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("seen", "spans"),
    [
        ([(1.0, 4, True)], []),
        ([(1.0, 4, True), (3.0, 5, False), (4.0, 5, False), (5.0, 5, True), (6.0, 5, True)], [(3.0, 5.0)]),
        ([(1.0, 4, True), (3.0, 5, False), (4.0, 6, False), (5.0, 6, True)], [(3.0, 5.0)]),
        ([(1.0, 4, True), (3.0, 5, True)], [(3.0, 3.0)]),
        ([(1.0, 4, True), (3.0, 5, False)], [(3.0, 9.0)]),
        ([(3.0, 1, False), (5.0, 1, True), (6.0, 2, False), (8.0, 2, True)], [(3.0, 5.0), (6.0, 8.0)]),
    ],
    ids=["nothing new", "one", "written again meanwhile", "no new pod", "not over", "there and back"],
)
def test_a_rollout_is_from_a_new_generation_to_the_status_that_has_all_of_it(
    seen: list[tuple[float, int, bool]], spans: list[tuple[float, float]]
) -> None:
    assert rollouts_in(seen, 2.0, 9.0) == spans
    assert covered(spans) == sum(end - start for start, end in spans)


def deployment(**status: int) -> dict[str, Any]:
    whole = {"observedGeneration": 3, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2, **status}
    return {"metadata": {"generation": 3}, "spec": {"replicas": 2}, "status": whole}


def test_it_is_complete_with_all_pods_new_and_available_and_none_of_the_old() -> None:
    assert is_complete(deployment())


@pytest.mark.parametrize(
    ("key", "value"), [("observedGeneration", 2), ("updatedReplicas", 1), ("replicas", 3), ("availableReplicas", 1)]
)
def test_it_is_not_complete_before(key: str, value: int) -> None:
    assert not is_complete(deployment(**{key: value}))
