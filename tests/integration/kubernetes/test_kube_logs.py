"""Logs of pods that really run: followed through restarts and new pods, each line once."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from shipper.model import Revision
from shipper_targets.kubernetes.kinds import DEPLOYMENT, POD
from shipper_targets.kubernetes.values import name_of
from tests.conftest import images_needed
from tests.integration.kubernetes.kube_service import KubeService
from tests.integration.kubernetes.waiting import until
from tests.rig.images import BASE
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

COUNTING = """
import os, time
for number in range(10_000):
    print(f"{os.environ['HOSTNAME']} {number}", flush=True)
    time.sleep(0.05)
"""


@pytest.fixture
def counting(kube_rig: KubeRig, kube_namespace: str) -> tuple[KubeService, Revision]:
    images_needed(kube_rig)
    kube_rig.nodes.time_factor(0.05, kube_namespace)
    shop = KubeService(kube_rig, kube_namespace)

    def counts(body: dict[str, Any]) -> None:
        pod = body["spec"]["template"]["spec"]
        pod["securityContext"]["runAsUser"] = 1234
        pod["terminationGracePeriodSeconds"] = 1
        container = pod["containers"][0]
        for probe in ("startupProbe", "readinessProbe", "lifecycle"):
            container.pop(probe, None)
        container.update(image=BASE, command=["python", "-u", "-c", COUNTING])

    revision = shop.apply(shop.release(), counts)
    assert shop.follow(revision)[-1].state == "ready"
    return shop, revision


def test_the_last_lines_and_then_what_comes_each_once(counting: tuple[KubeService, Revision]) -> None:
    shop, revision = counting
    until(lambda: len(shop.logs.last(revision, 50)) >= 10)
    following = shop.logs.follow(revision, 5)

    lines = list(itertools.islice(following, 25))
    following.close()

    numbers = [int(line.split()[-1]) for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + 25))
    assert numbers[0] > 0


def test_following_goes_on_after_a_restart(counting: tuple[KubeService, Revision]) -> None:
    shop, revision = counting
    following = shop.logs.follow(revision, 1)
    before = int(next(following).split()[-1])

    shop.rig.nodes.kill(shop.namespace, name_of(shop.admin.list(POD).items[0]))

    again = next(line for line in following if line.endswith(" 0"))
    after = [int(line.split()[-1]) for line in itertools.islice(following, 5)]
    following.close()
    assert before >= 0
    assert again.endswith(" 0")
    assert after == [1, 2, 3, 4, 5]


def test_a_pod_that_comes_later_is_followed_too_and_lines_say_whose_they_are(
    counting: tuple[KubeService, Revision],
) -> None:
    shop, revision = counting
    following = shop.logs.follow(revision, 1)
    next(following)

    shop.admin.merge(DEPLOYMENT, "shop", {"spec": {"replicas": 2}})

    pods: set[str] = set()
    for line in following:
        if line.startswith("["):
            prefix, _, rest = line.partition("] ")
            assert rest.split()[0].endswith(prefix[1:])
            pods.add(prefix)
        if len(pods) == 2:
            break
    following.close()


def test_following_ends_when_the_pods_are_gone(counting: tuple[KubeService, Revision]) -> None:
    shop, revision = counting
    following = shop.logs.follow(revision, 1)
    next(following)

    shop.admin.delete(DEPLOYMENT, "shop")

    assert all(isinstance(line, str) for line in following)
