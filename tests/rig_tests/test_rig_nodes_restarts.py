"""The nodes are killed and start again, the API server goes away: pods that run go on running."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.rig.api import Rig
from tests.rig.daemons import wait_until
from tests.rig.kubernetes.handle import KubeRig
from tests.rig.kubernetes.pods import engine_leftovers
from tests.rig_tests.pods_on_the_rig import Pods, pods_in

pytestmark = pytest.mark.integration

SERVE = ["python", "-m", "http.server", "8080"]
READY = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}


@pytest.fixture
def pods(kube_rig: KubeRig) -> Iterator[Pods]:
    kube_rig.cluster.own("kill its nodes")
    with pods_in(kube_rig) as found:
        yield found


def start(pods: Pods) -> str:
    """A pod that runs; its container's id."""
    pods.deploy("shop", "python:3.11-slim", command=SERVE, readinessProbe=READY)
    pods.until(lambda: pods.is_ready("shop"))
    return str(pods.container("shop")["containerID"])


def test_killed_nodes_find_their_containers_again(pods: Pods) -> None:
    from tests.rig.api import ensure

    container = start(pods)
    pods.rig.nodes.behave("good", namespace=pods.namespace, container="kept")
    own = pods.rig.cluster.own("kill its nodes")
    daemon = own.daemon("nodes", "python")
    pid = daemon.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: daemon.pid() is None, 10)
    ensure(["kubernetes"])
    assert any(rule[0]["container"] == "kept" for rule in pods.rig.nodes.status()["rules"])
    found = pods.container("shop")
    assert (found["containerID"], found["restartCount"], found["ready"]) == (container, 0, True)
    pods.rig.nodes.kill(pods.namespace, pods.of("shop")[0]["metadata"]["name"])
    pods.until(lambda: pods.container("shop")["restartCount"] == 1 and pods.is_ready("shop"))
    pods.delete("deployments", "shop", "apps/v1")
    pods.until(lambda: not pods.of("shop"))


def test_containers_of_a_rig_that_is_gone_are_removed(rig: Rig, tmp_path: Path) -> None:
    client = docker.from_env()
    kept, left = tmp_path / "kept", tmp_path / "gone"
    kept.mkdir()
    made = {
        folder: client.containers.create(rig.base_image, "true", labels={engine_leftovers.STATE: str(folder)})
        for folder in (kept, left)
    }
    try:
        assert engine_leftovers.clear(client) >= 1
        found = client.containers.list(all=True, filters={"label": engine_leftovers.STATE})
        assert made[kept].id in [one.id for one in found]
        assert made[left].id not in [one.id for one in found]
    finally:
        made[kept].remove(force=True)
        client.close()


def test_an_api_server_that_goes_away_is_waited_for(pods: Pods) -> None:
    container = start(pods)
    name = pods.of("shop")[0]["metadata"]["name"]
    with pods.rig.apiserver_away():
        pods.rig.nodes.kill(pods.namespace, name)
    pods.until(lambda: pods.container("shop")["restartCount"] == 1 and pods.is_ready("shop"))
    assert pods.container("shop")["containerID"] != container
