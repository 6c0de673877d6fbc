"""`shipper release --target knative`: Knative's own webhooks and reconcilers, revisions and traffic by name."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.answer import asked
from tests.e2e.cluster.conftest import Cluster
from tests.e2e.cluster.examples_here import example
from tests.e2e.cluster.knative_service import ask, serves, service
from tests.e2e.killing.signalled import Run
from tests.e2e.projects import QUICK, write_service
from tests.e2e.tiny_place import canary

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.e2e


@pytest.fixture
def place(knative: Cluster) -> Cluster:
    return knative


@pytest.mark.timeout(600)
def test_a_canary_and_a_rollback_from_an_empty_directory_without_the_ledger(place: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=place.settings(**QUICK))
    first = place.release(folder)
    assert first.code == 0, first
    assert ask(place).json["version"] == "1"

    write_service(folder, version="2", settings=place.settings(**QUICK, **canary("2s")))
    second = place.release(folder)
    assert second.code == 0, second
    shares = [event["weights"] for event in second.events if event["event"] == "traffic-shifted"]
    one, two = (ended.finished["serves"]["revision"] for ended in (first, second))
    assert shares == [{one: 90, two: 10}, {one: 50, two: 50}, {two: 100}]
    assert serves(place) == {two: 100}
    assert ask(place).json["version"] == "2"

    back = place.from_nowhere("rollback")
    assert back.code == 0, back
    assert serves(place) == {one: 100}
    assert ask(place).json["version"] == "1"
    assert (back.finished["serves"]["number"], back.finished["serves"]["rollback_to"]) == (3, 1)
    assert one in place.kubectl("get", "revisions", "-o", "name")


def test_a_revision_that_crashes_leaves_the_traffic_and_is_told_with_its_log(place: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=place.settings(**QUICK))
    first = place.release(folder)
    assert first.code == 0, first
    write_service(folder, version="2", behaviour="crash", settings=place.settings(**QUICK))
    second = place.release(folder)
    assert second.code == 20, second
    assert "connecting to the feature store" in second.said, second
    assert serves(place) == {first.finished["serves"]["revision"]: 100}
    assert ask(place).json["version"] == "1"


def test_traffic_moved_by_hand_stops_a_release_and_a_rollback_takes_it_over(place: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    names = []
    for version in ("1", "2"):
        write_service(folder, version=version, settings=place.settings(**QUICK))
        ended = place.release(folder)
        assert ended.code == 0, ended
        names.append(ended.finished["serves"]["revision"])
    split = [{"revisionName": name, "percent": 50} for name in names]
    place.kubectl("patch", "ksvc", "shop-dev", "--type", "merge", "-p", json.dumps({"spec": {"traffic": split}}))
    write_service(folder, version="3", settings=place.settings(**QUICK))
    refused = place.release(folder)
    assert refused.code == 31, refused
    back = place.run("rollback", "--service", "shop", "--to", "#1", "--json")
    assert back.code == 0, back
    assert serves(place) == {names[0]: 100}


@pytest.mark.timeout(900)
def test_the_example_is_built_scanned_tried_pushed_deployed_and_answers(place: Cluster, tmp_path: Path) -> None:
    ended = place.release(example(place, "iris", "On Knative", tmp_path / "iris"))

    assert ended.code == 0, ended
    done = ended.stages()
    passed = ("build", "lint", "scan", "sbom", "smoke", "size", "gate", "publish", "rollout", "seal")
    assert {name: done.get(name) for name in passed} == dict.fromkeys(passed, "done")
    assert ended.finished["serves"]["number"] == 1
    found = json.loads(place.kubectl("get", "ksvc", "iris-dev", "-o", "json"))
    host = str(found["status"]["url"]).partition("://")[2]
    answer = asked(place.hands.edge_url, host=host)
    assert (answer.status, answer.json["service"]) == (200, "iris")


def test_what_was_proved_is_told(place: Cluster, tmp_path: Path) -> None:
    """Nothing in an answer names its revision here: what is proved is that the address answers as it must."""
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=place.settings(**QUICK))
    ended = place.release(folder)
    assert (ended.code, ended.finished["serves"]["proof"]) == (0, "answer"), ended


def test_the_fix_of_what_serves_and_crashes_goes_out(place: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=place.settings(**QUICK))
    first = place.release(folder)
    assert first.code == 0, first
    broken = first.finished["serves"]["revision"]
    place.hands.nodes.behave("crash", namespace=place.namespace, image=_image_of(place, broken), lines=["no password"])
    place.kubectl("delete", "pods", "-l", f"serving.knative.dev/revision={broken}")
    _until_failed(place, broken)

    write_service(folder, version="2", settings=place.settings(**QUICK))
    second = place.release(folder)

    assert second.code == 0, second
    assert serves(place) == {second.finished["serves"]["revision"]: 100}
    assert ask(place).json["version"] == "2"


def _until_failed(place: Cluster, revision: str) -> None:
    """Knative looks at the pods again when the revision changes: else in hours."""
    deadline = time.monotonic() + 60
    condition = """-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}"""
    while place.kubectl("get", "revision", revision, condition) != "False":
        assert time.monotonic() < deadline, place.kubectl("get", "revision", revision, "-o", "yaml")
        place.kubectl("annotate", "--overwrite", "revision", revision, f"example.com/look={time.monotonic()}")


def _image_of(place: Cluster, revision: str) -> str:
    found = json.loads(place.kubectl("get", "revision", revision, "-o", "json"))
    return str(found["spec"]["containers"][0]["image"])


def _newest(place: Cluster) -> str:
    """The revision that Knative made last."""
    return str(service(place)["status"]["latestCreatedRevisionName"])


def test_an_api_server_that_restarts_in_a_release(place: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=place.settings(**QUICK))
    first = place.release(folder)
    assert first.code == 0, first
    settings = place.settings(**QUICK, health={"startup": "90s"})
    write_service(folder, version="2", behaviour="slow-start", start_seconds=8, settings=settings)
    run = Run(place.start("release", "--target", "knative", "--json", "-C", folder))
    run.until(lambda: _newest(place) != first.finished["serves"]["revision"])
    assert serves(place) == {first.finished["serves"]["revision"]: 100}, run.said

    place.hands.restart_apiserver()

    ended = run.end(180)
    assert ended.code == 0, ended
    again = place.release(folder)
    assert (again.code, again.finished["cause"]) == (0, "nothing-to-do"), again
    assert ask(place).json["version"] == "2"
