"""`shipper release --target kubernetes`: from a Dockerfile to verified traffic on a real control plane, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster.conftest import Cluster
from tests.e2e.cluster.examples_here import example
from tests.e2e.cluster.tiny_cluster import KubePlaces
from tests.e2e.machine import must, own_home
from tests.e2e.projects import QUICK, merged, write_service

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(900)
def test_the_example_is_built_scanned_tried_pushed_deployed_and_answers(cluster: Cluster, tmp_path: Path) -> None:
    ended = cluster.release(example(cluster, "iris", "On a Kubernetes cluster", tmp_path / "iris"))
    assert ended.code == 0, ended
    done = ended.stages()
    passed = ("build", "lint", "scan", "sbom", "smoke", "size", "gate", "publish", "rollout", "seal")
    assert {name: done.get(name) for name in passed} == dict.fromkeys(passed, "done")
    assert ended.finished["serves"]["number"] == 1
    answer = cluster.ask()
    assert (answer.status, answer.json["service"]) == (200, "iris")
    assert "iris-dev" in cluster.kubectl("get", "deployment", "-l", "app.kubernetes.io/name=iris", "-o", "name")


STRATEGIES: dict[str, dict[str, Any]] = {
    "rolling": {},
    "blue-green": {"rollout": {"strategy": "blue-green", "bake": "1s"}},
    "recreate": {"rollout": {"strategy": "recreate"}},
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_releases_and_a_rollback_from_an_empty_directory_without_the_ledger(
    cluster: Cluster, tmp_path: Path, strategy: str
) -> None:
    folder = tmp_path / "shop"
    for version in ("1", "2"):
        write_service(folder, version=version, settings=cluster.settings(**merged(QUICK, STRATEGIES[strategy])))
        ended = cluster.release(folder)
        assert ended.code == 0, ended
        assert cluster.ask().json["version"] == version
    back = cluster.from_nowhere("rollback")
    assert back.code == 0, back
    assert cluster.ask().json["version"] == "1"
    serves = back.finished["serves"]
    assert (serves["number"], serves["rollback_to"]) == (3, 1)


@pytest.mark.parametrize("strategy", ["rolling", "blue-green"])
def test_a_rollback_over_a_change_of_the_host_name_is_proved_where_it_leads(
    cluster: Cluster, tmp_path: Path, strategy: str
) -> None:
    folder = tmp_path / "shop"
    more = merged(QUICK, STRATEGIES[strategy])
    other = f"other.{cluster.namespace}.rig.test"
    moved = {"targets": {"kubernetes": {"ingress": {"host": other}}}}
    write_service(folder, version="1", settings=cluster.settings(**more))
    must(cluster.release(folder))
    write_service(folder, version="2", settings=cluster.settings(**merged(more, moved)))
    ended = cluster.release(folder)
    assert (ended.code, ended.finished["serves"]["host"]) == (0, other), ended

    back = cluster.run("rollback", "--target", cluster.kind, "--json", "-C", folder)

    assert (back.code, back.finished["serves"]["host"]) == (0, cluster.host), back
    assert cluster.ask().json["version"] == "1"
    forth = cluster.from_nowhere("rollback", "--to", "#2")
    assert (forth.code, forth.finished["serves"]["host"]) == (0, other), forth


def test_what_was_put_back_from_a_way_in_that_nobody_serves_can_be_left_for_an_earlier_one(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    for version in ("1", "2"):
        write_service(folder, version=version, settings=cluster.settings(**QUICK))
        must(cluster.release(folder))
    nowhere = {"host": f"other.{cluster.namespace}.rig.test", "class_name": "nobody"}
    wrong = merged(QUICK, {"targets": {"kubernetes": {"ingress": nowhere}}})
    write_service(folder, version="3", settings=cluster.settings(**wrong))
    assert cluster.release(folder).code == 21

    must(cluster.run("verify", "--target", cluster.kind, "-C", folder))
    back = cluster.run("rollback", "--target", cluster.kind, "--json", "-C", folder)

    assert back.code == 0, back
    assert cluster.ask().json["version"] == "1"


def test_what_is_put_back_serves_alone_when_the_run_says_so(kube_places: KubePlaces) -> None:
    place = kube_places.kept("rolling")
    served = place.next_text()
    two: dict[str, Any] = {"scale": {"min": 2}}
    must(place.release(served, **two))
    wrong = {"smoke": {"requests": [{"name": "text", "path": "/", "expect": {"contains": "another text"}}]}}
    ended = place.release(place.next_text(), **two, **wrong)
    sets = place.looked("/apis/apps/v1/namespaces/{}/replicasets")
    assert sets is not None
    number = place.history(1)[0].number
    assert ended.code == 21, ended
    assert ended.finished["serves"]["number"] == number - 1
    ready = {
        one["metadata"]["annotations"]["shipper.dev/number"]: one["status"].get("readyReplicas", 0)
        for one in sets["items"]
        if one["status"]["replicas"]
    }
    assert ready == {str(number - 1): 2}
    assert {place.text() for _ in range(30)} == {served}


def test_a_first_release_whose_name_leads_nowhere_from_here_says_what_to_do(kube_places: KubePlaces) -> None:
    place = kube_places.fresh("rolling")
    nowhere = {"targets": {"kubernetes": {"address": None, "ingress": {"host": "shop.example.invalid"}}}}
    ended = place.release(place.next_text(), **nowhere)
    assert ended.code == 21, ended
    assert "the name shop.example.invalid does not resolve from here" in ended.said
    assert "asked http://shop.example.invalid/" in ended.said
    assert "nothing serves, as before" in ended.said
    assert "address = " in ended.said
    assert ended.finished["serves"] is None


def test_a_first_release_that_no_way_in_leads_to_says_what_was_asked_and_what_to_do(kube_places: KubePlaces) -> None:
    place = kube_places.fresh("rolling")
    ended = place.release(place.next_text(), targets={"kubernetes": {"ingress": {"class_name": "nobodys"}}})
    assert ended.code == 21, ended
    assert "answered 404" in ended.said
    assert f"(asked {place.cluster.hands.edge_url}/healthz as Host: {place.host})" in ended.said
    assert "it answered: " in ended.said
    assert "kubectl get ingressclass" in ended.finished["hint"]


def test_a_rollback_from_where_nobody_gets_to_the_address_stays_and_says_so(
    kube_places: KubePlaces, tmp_path: Path
) -> None:
    place = kube_places.kept("rolling")
    good = place.next_text()
    must(place.release(good))
    must(place.release(place.next_text()))
    elsewhere = f"{place.cluster.address}?address=http://127.0.0.1:1"
    words = ("rollback", "--service", place.SERVICE, "--target", elsewhere, "--json")
    back = place.cluster.run(*words, env=own_home(tmp_path / "other"), cwd=tmp_path)
    assert back.code == 0, back
    assert back.finished["serves"]["proof"] == "routing"
    assert any("gets to neither" in event["text"] for event in back.events if event["event"] == "remark")
    assert place.text() == good
