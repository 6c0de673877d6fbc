"""A Secret has one value at a time: what comes back has that of now, and everything else as it was released."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster.conftest import Cluster
from tests.e2e.projects import QUICK, write_service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NOTE = "team.example.com/note"
REFERS = {"secrets": {"SHOP_PASSWORD": "kubernetes:db/password"}, "secrets_as": "environment"}
TOUCHED = {
    "another value": ("patch", "secret", "db", "--type", "merge", "--patch", '{"stringData":{"password":"two"}}'),
    "a label": ("label", "secret", "db", "team=shop"),
}


@pytest.mark.parametrize("how", TOUCHED)
def test_after_it_was_touched_the_recorded_manifests_come_back_with_the_value_of_now(
    cluster: Cluster, tmp_path: Path, how: str
) -> None:
    cluster.kubectl("create", "secret", "generic", "db", "--from-literal", "password=one")
    for version, note in (("1", "then"), ("2", "now")):
        own = {"targets": {"kubernetes": {"annotations": {NOTE: note}}}, "run": REFERS}
        write_service(tmp_path / "shop", version=version, settings=cluster.settings(**QUICK, **own))
        ended = cluster.release(tmp_path / "shop")
        assert ended.code == 0, ended
    cluster.kubectl(*TOUCHED[how])

    # From the project, whose settings are those of now: they must not be what is applied.
    back = cluster.run("rollback", "--target", "kubernetes", "-C", tmp_path / "shop", "--json")

    assert back.code == 0, back
    assert cluster.ask().json["version"] == "1"
    deployment: Any = json.loads(cluster.kubectl("get", "deployment", "shop-dev", "-o", "json"))
    assert deployment["spec"]["template"]["metadata"]["annotations"][NOTE] == "then"
    expected = "two" if how == "another value" else "one"
    assert cluster.ask("/env?name=SHOP_PASSWORD").json["value"] == expected


def test_the_last_line_says_that_there_is_a_way_back_although_it_was_rotated(cluster: Cluster, tmp_path: Path) -> None:
    cluster.kubectl("create", "secret", "generic", "db", "--from-literal", "password=one")
    for version in ("1", "2"):
        write_service(tmp_path / "shop", version=version, settings=cluster.settings(**QUICK, run=REFERS))
        assert cluster.release(tmp_path / "shop").code == 0
    cluster.kubectl(*TOUCHED["another value"])
    write_service(tmp_path / "shop", version="3", settings=cluster.settings(**QUICK, run=REFERS))
    ended = cluster.release(tmp_path / "shop")
    assert ended.code == 0, ended
    assert ended.finished["rollback"].startswith("ready -> #2"), ended
    status = cluster.run("status", "--target", "kubernetes", "-C", tmp_path / "shop")
    assert "ready -> #2" in status.stdout, status.stdout
    assert cluster.from_nowhere("rollback").code == 0


def test_after_a_release_of_nothing_but_a_secret_the_way_back_is_the_one_before(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.kubectl("create", "secret", "generic", "db", "--from-literal", "password=one")
    for version, touched in (("1", False), ("2", False), ("2", True)):
        if touched:
            cluster.kubectl(*TOUCHED["another value"])
        write_service(tmp_path / "shop", version=version, settings=cluster.settings(**QUICK, run=REFERS))
        ended = cluster.release(tmp_path / "shop")
        assert ended.code == 0, ended
    assert ended.finished["rollback"].startswith("ready -> #1"), ended
    named = cluster.from_nowhere("rollback", "--to", "#2")
    assert named.code == 23, named
    assert "only secret values differ from what serves, and those of then are gone" in named.said
    back = cluster.from_nowhere("rollback")
    assert back.code == 0, back
    assert cluster.ask().json["version"] == "1"
    status = cluster.run("status", "--target", "kubernetes", "-C", tmp_path / "shop")
    assert "quarantined  #3 (" in status.stdout, status.stdout
