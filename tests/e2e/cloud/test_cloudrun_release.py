"""`shipper release --target cloudrun`: from a Dockerfile to verified traffic on the rig's Google Cloud, and back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.cloud.conftest import REGION, Cloud
from tests.e2e.projects import QUICK, commit, write_service

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[3]
CANARY = {"rollout": {"strategy": "canary", "steps": [10, 50], "bake": "2s"}}


def iris(cloud: Cloud, folder: Path) -> Path:
    """The example, with a place on Google Cloud."""
    shutil.copytree(ROOT / "examples" / "iris", folder, ignore=shutil.ignore_patterns("__pycache__", ".git", ".train"))
    own = cloud.settings()["targets"]["cloudrun"]
    place = "".join(f'{name} = "{value}"\n' for name, value in own.items())
    with (folder / "shipper.toml").open("a") as configuration:
        configuration.write(f"\n[targets.cloudrun]\n{place}\n[ledger]\nurl = '{cloud.ledger}'\n")
        repository = f"{REGION}-docker.pkg.dev/{cloud.project}/m/iris"
        configuration.write(f'\n[environments.dev.image]\nrepository = "{repository}"\ncreate_repository = true\n')
    commit(folder, "iris")
    return folder


@pytest.mark.timeout(900)
def test_the_example_is_built_scanned_tried_pushed_deployed_and_answers(cloud: Cloud, tmp_path: Path) -> None:
    ended = cloud.release(iris(cloud, tmp_path / "iris"))
    assert ended.code == 0, ended
    done = ended.stages()
    passed = ("build", "lint", "scan", "sbom", "smoke", "size", "gate", "publish", "rollout", "seal")
    assert {name: done.get(name) for name in passed} == dict.fromkeys(passed, "done")
    serves = ended.finished["serves"]
    assert (serves["number"], serves["proof"]) == (1, "answer")
    status, found = cloud.hands.request("GET", f"/v2/{cloud.name.replace('shop-dev', 'iris-dev')}")
    assert status == 200
    image = found["template"]["containers"][0]["image"]
    assert image.startswith(f"{REGION}-docker.pkg.dev/{cloud.project}/m/iris@sha256:"), image


def test_a_canary_and_a_rollback_from_an_empty_directory_without_the_ledger(cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=cloud.settings(**QUICK))
    first = cloud.release(folder)
    assert first.code == 0, first
    assert cloud.ask().json["version"] == "1"

    write_service(folder, version="2", settings=cloud.settings(**QUICK, **CANARY))
    second = cloud.release(folder)
    assert second.code == 0, second
    shares = [event["weights"] for event in second.events if event["event"] == "traffic-shifted"]
    one, two = (ended.finished["serves"]["revision"] for ended in (first, second))
    assert shares == [{one: 90, two: 10}, {one: 50, two: 50}, {two: 100}]
    assert [event["ok"] for event in second.events if event["event"] == "gate-judged"] == [True, True]
    assert cloud.serves == {two: 100}
    assert cloud.ask().json["version"] == "2"

    back = cloud.from_nowhere("rollback")
    assert back.code == 0, back
    assert cloud.serves == {one: 100}
    assert cloud.ask().json["version"] == "1"
    serves = back.finished["serves"]
    assert (serves["number"], serves["rollback_to"], serves["revision"]) == (3, 1, one)
    assert "ledger" in " ".join(event["text"] for event in back.events if event["event"] == "remark")


def test_after_a_rollback_the_next_release_takes_the_traffic(cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    for version in ("1", "2"):
        write_service(folder, version=version, settings=cloud.settings(**QUICK))
        assert cloud.release(folder).code == 0
    assert cloud.run("rollback", "--service", "shop", "--json").code == 0
    assert cloud.ask().json["version"] == "1"
    write_service(folder, version="3", settings=cloud.settings(**QUICK))
    third = cloud.release(folder)
    assert third.code == 0, third
    assert cloud.ask().json["version"] == "3"
    assert cloud.serves == {third.finished["serves"]["revision"]: 100}


def test_a_revision_that_does_not_start_leaves_the_old_one_serving_and_is_told_with_its_log(
    cloud: Cloud, tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=cloud.settings(**QUICK))
    first = cloud.release(folder)
    assert first.code == 0, first
    write_service(folder, version="2", behaviour="crash", settings=cloud.settings(**QUICK))
    second = cloud.release(folder)
    assert second.code == 20, second
    assert "connecting to the feature store" in second.said, second
    assert cloud.ask().json["version"] == "1"
    assert cloud.serves == {first.finished["serves"]["revision"]: 100}
    write_service(folder, version="3", settings=cloud.settings(**QUICK))
    third = cloud.release(folder)
    assert third.code == 0, third
    assert cloud.ask().json["version"] == "3"


def test_a_first_release_that_fails_leaves_no_service_behind(cloud: Cloud, tmp_path: Path) -> None:
    write_service(tmp_path / "shop", behaviour="crash", settings=cloud.settings(**QUICK))
    ended = cloud.release(tmp_path / "shop")
    assert ended.code in (20, 21), ended
    assert cloud.hands.request("GET", f"/v2/{cloud.name}")[0] == 404


def test_traffic_split_by_hand_stops_a_release_with_the_difference_and_a_rollback_takes_it_over(
    cloud: Cloud, tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    made = []
    for version in ("1", "2"):
        write_service(folder, version=version, settings=cloud.settings(**QUICK))
        made.append(cloud.release(folder).finished["serves"]["revision"])
    split = [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": name, "percent": 50} for name in made]
    status, said = cloud.hands.request("PATCH", f"/v2/{cloud.name}?updateMask=traffic", {"traffic": split})
    assert status == 200, said
    write_service(folder, version="3", settings=cloud.settings(**QUICK))
    refused = cloud.release(folder)
    assert refused.code == 31, refused
    for name in made:
        assert name in refused.said
    back = cloud.run("rollback", "--service", "shop", "--to", "#1", "--json")
    assert back.code == 0, back
    assert cloud.serves == {made[0]: 100}


def test_a_wrong_key_and_a_missing_permission_are_told_before_the_build(cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_service(folder, settings=cloud.settings(**QUICK))
    cloud.hands.deny(cloud.project, "run.services.create")
    refused = cloud.release(folder)
    assert refused.code == 32, refused
    assert "run.services.create" in refused.said
    assert "build" not in refused.stages()
    cloud.hands.allow(cloud.project, "run.services.create")
    nobody = cloud.release(folder, env={"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "not-there.json")})
    assert nobody.code == 32, nobody


def test_an_image_where_cloud_run_does_not_look_is_refused_before_the_build(cloud: Cloud, tmp_path: Path) -> None:
    elsewhere = {"repository": "ghcr.io/team/shop", "create_repository": None}
    write_service(tmp_path / "shop", settings=cloud.settings(**QUICK, image=elsewhere))
    refused = cloud.release(tmp_path / "shop")
    assert refused.code == 2, refused
    assert "ghcr.io" in refused.said
    assert "build" not in refused.stages()


def test_the_plan_says_what_changes_and_what_waiting_costs(cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    scaled = {"scale": {"max": 10}}
    write_service(folder, version="1", settings=cloud.settings(scan={"enabled": False}, **scaled))
    assert cloud.release(folder).code == 0
    more = {"run": {"env": {"MODE": "new"}}}
    write_service(folder, version="2", settings=cloud.settings(scan={"enabled": False}, **scaled, **more))
    planned = cloud.run("plan", "--target", "cloudrun", "-C", folder)
    assert planned.code == 0, planned
    assert "MODE" in planned.stdout, planned
    assert "0 to 10 instances, scales to zero" in planned.stdout, planned
    assert "pays about" in planned.stdout, planned
    assert "of start, as smoke measured it" in planned.stdout, planned
