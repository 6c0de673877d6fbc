"""gcloud beside shipper: it reads what shipper deployed, and what somebody changes with it is found.

The rig's v1 API (tests/rig/google/cloudrun/v1.py) was written after gcloud's own client; this is the real gcloud.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.cloud.conftest import REGION, Cloud
from tests.e2e.machine import Ended
from tests.e2e.projects import QUICK, write_service
from tests.rig.google.cloudrun import v1_gcloud
from tests.rig.google.cloudrun.v1_gcloud import Gcloud

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not v1_gcloud.is_installed(), reason=v1_gcloud.REASON),
]

SERVICE = "shop-dev"


@pytest.fixture
def gcloud(cloud: Cloud, tmp_path: Path) -> Gcloud:
    """gcloud in the project of this test, without credentials."""
    cloud.hands.need_tokens(cloud.project, needed=False)
    port = urlsplit(cloud.hands.url).port
    assert port is not None
    return Gcloud(v1_gcloud.environment(port, tmp_path / "gcloud", cloud.project, REGION))


def released(cloud: Cloud, folder: Path, version: str) -> dict[str, Any]:
    """Release that version of the shop; what serves then, in shipper's words."""
    ended = attempted(cloud, folder, version)
    assert ended.code == 0, ended
    serves: dict[str, Any] = ended.finished["serves"]
    return serves


def attempted(cloud: Cloud, folder: Path, version: str) -> Ended:
    """Try to."""
    write_service(folder, version=version, settings=cloud.settings(**QUICK))
    return cloud.release(folder)


def by_hand(gcloud: Gcloud, *words: str) -> str:
    """`gcloud run WORDS`, which must work; what it says to a person."""
    done = gcloud.run(*words)
    assert done.returncode == 0, done.stderr
    return done.stderr.replace("\x1b[1m", "").replace("\x1b[m", "")


def status(cloud: Cloud) -> dict[str, Any]:
    """`shipper status --json`."""
    ended = cloud.run("status", "--service", "shop", "--json")
    assert ended.code == 0, ended
    found: dict[str, Any] = ended.events[-1]
    return found


def shown(cloud: Cloud) -> str:
    """`shipper status`, as a person reads it."""
    ended = cloud.run("status", "--service", "shop")
    assert ended.code == 0, ended
    return ended.stdout


def rolled_back(cloud: Cloud) -> dict[str, Any]:
    """`shipper rollback`; what serves then."""
    ended = cloud.run("rollback", "--service", "shop", "--json")
    assert ended.code == 0, ended
    serves: dict[str, Any] = ended.finished["serves"]
    return serves


def shares(gcloud: Gcloud) -> dict[str, int]:
    """Revision to percent, as `gcloud run services describe` has it."""
    routed = gcloud.json("services", "describe", SERVICE)["status"]["traffic"]
    return {one["revisionName"]: one["percent"] for one in routed if one.get("percent")}


def weights(said: dict[str, Any]) -> dict[str, int]:
    """Revision to percent, as `shipper status` has it."""
    return {one["name"]: one["weight"] for one in said["observation"]["serving"]}


def test_gcloud_and_shipper_say_the_same_of_what_serves(cloud: Cloud, gcloud: Gcloud, tmp_path: Path) -> None:
    releases = [released(cloud, tmp_path / "shop", version) for version in ("1", "2")]

    ours, service = status(cloud), gcloud.json("services", "describe", SERVICE)
    listed = {one["metadata"]["name"]: one for one in gcloud.json("revisions", "list", "--service", SERVICE)}

    assert shares(gcloud) == weights(ours) == {releases[1]["revision"]: 100}
    assert service["status"]["url"] == ours["observation"]["address"]["url"]
    assert service["metadata"]["labels"]["shipper-service"] == ours["service"]
    assert service["metadata"]["labels"]["shipper-environment"] == ours["environment"]
    assert list(listed) == [one["name"] for one in reversed(ours["observation"]["revisions"])]  # newest first
    for revision, release in zip(ours["observation"]["revisions"], releases, strict=True):
        seen = listed[revision["name"]]
        assert (revision["name"], revision["number"]) == (release["revision"], release["number"])
        assert seen["status"]["imageDigest"] == release["image"]
        assert seen["metadata"]["labels"]["shipper-number"] == str(revision["number"])
        assert revision["image"].startswith(f"sha256:{seen['metadata']['labels']['shipper-digest']}")
        assert {one["type"]: one["status"] for one in seen["status"]["conditions"]}["Ready"] == "True"

    back = rolled_back(cloud)

    assert shares(gcloud) == weights(status(cloud)) == {back["revision"]: 100} == {releases[0]["revision"]: 100}


def test_traffic_moved_with_gcloud_stops_a_release_with_both_shares_and_a_rollback_takes_it_over(
    cloud: Cloud, gcloud: Gcloud, tmp_path: Path
) -> None:
    one, two = (released(cloud, tmp_path / "shop", version)["revision"] for version in ("1", "2"))

    by_hand(gcloud, "services", "update-traffic", SERVICE, "--to-revisions", f"{one}=30,{two}=70")

    said = status(cloud)
    assert shares(gcloud) == weights(said) == {one: 30, two: 70}
    assert said["observation"]["drift"] == [
        {"field": "traffic", "ours": f"{two} 100 %", "found": f"{one} 30 %, {two} 70 %"}
    ]
    assert f"drift: traffic: expected {two} 100 %, found {one} 30 %, {two} 70 %" in shown(cloud)
    refused = attempted(cloud, tmp_path / "shop", "3")
    assert refused.code == 31, refused
    assert f"traffic: {two} 100 % -> {one} 30 %, {two} 70 %" in refused.said
    assert shares(gcloud) == {one: 30, two: 70}

    back = rolled_back(cloud)

    assert (back["revision"], back["rollback_to"]) == (one, 1)
    assert shares(gcloud) == {one: 100}
    assert status(cloud)["observation"]["drift"] == []
    assert cloud.ask().json["version"] == "1"
    assert released(cloud, tmp_path / "shop", "3")["number"] == 4
    assert cloud.ask().json["version"] == "3"


def test_a_revision_deployed_with_gcloud_is_nobodys_release_although_it_carries_our_annotations(
    cloud: Cloud, gcloud: Gcloud, tmp_path: Path
) -> None:
    first, second = (released(cloud, tmp_path / "shop", version) for version in ("1", "2"))

    told = by_hand(gcloud, "deploy", SERVICE, "--image", first["image"])

    assert "is serving 0 percent of traffic" in told  # shipper names revisions: the latest one gets nothing by itself
    made = gcloud.json("services", "describe", SERVICE)["status"]["latestReadyRevisionName"]
    copied = gcloud.json("revisions", "describe", made)["metadata"]["annotations"]
    assert copied["shipper.dev/number"] == "2"
    assert (status(cloud)["number"], weights(status(cloud))) == (2, {second["revision"]: 100})
    by_hand(gcloud, "services", "update-traffic", SERVICE, "--to-latest")

    said = status(cloud)
    assert shares(gcloud) == weights(said) == {made: 100}
    assert said["number"] is None
    assert [one["number"] for one in said["observation"]["serving"]] == [None]
    assert f"(no release that is known) {made}" in shown(cloud)
    refused = attempted(cloud, tmp_path / "shop", "3")
    assert refused.code == 31, refused
    assert f"{second['image']} -> {first['image']}" in refused.said
    assert f"{second['revision']} 100 % -> LATEST 100 %" in refused.said
    assert cloud.ask().json["version"] == "1"

    back = rolled_back(cloud)

    assert (back["revision"], back["rollback_to"]) == (second["revision"], 2)
    assert shares(gcloud) == {second["revision"]: 100}
    assert cloud.ask().json["version"] == "2"
    assert status(cloud)["observation"]["drift"] == []


def test_a_variable_set_with_gcloud_stops_a_release_which_names_it_and_does_not_come_along(
    cloud: Cloud, gcloud: Gcloud, tmp_path: Path
) -> None:
    for version in ("1", "2"):
        released(cloud, tmp_path / "shop", version)

    by_hand(gcloud, "services", "update", SERVICE, "--update-env-vars", "COLOUR=red,API_TOKEN=hunter2")

    refused = attempted(cloud, tmp_path / "shop", "3")
    assert refused.code == 31, refused
    assert "env.COLOUR: (nothing) -> red" in refused.said
    assert "env.API_TOKEN" in refused.said
    assert "hunter2" not in refused.stdout + refused.stderr + shown(cloud)
    assert "env.COLOUR" in shown(cloud)

    assert rolled_back(cloud)["rollback_to"] == 1

    assert cloud.ask().json["version"] == "1"
    third = released(cloud, tmp_path / "shop", "3")
    seen = gcloud.json("revisions", "describe", third["revision"])
    assert seen["spec"]["containers"][0].get("env", []) == []
    assert cloud.ask("/env?name=COLOUR").json == {"value": None}
