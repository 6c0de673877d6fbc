"""A command of `[rollout] before` that outlived its run is garbage, and ended as such."""

from __future__ import annotations

from typing import Any, cast

import pytest

from shipper.targets import Denied
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.job_render import ONCE
from shipper_targets.kubernetes.left_jobs import end_job, left_jobs
from tests.unit.kubernetes.kube_api import Server

pytestmark = pytest.mark.unit


def job(name: str, base: str = "shop", **more: Any) -> dict[str, Any]:
    return {"kind": "Job", "metadata": {"name": name, "uid": name, "labels": {ONCE: base}, **more}}


def test_it_is_told_unless_it_is_on_its_way_out_or_another_services() -> None:
    server = Server(job("one"), job("two", deletionTimestamp="2030-01-02T03:04:05Z"), job("three", base="other"))
    (found,) = left_jobs(cast("Api", server), "shop")
    assert (found.kind, found.name) == ("leftover", "one")


def test_it_is_ended_and_nobody_elses_is() -> None:
    server = Server(job("one"), job("three", base="other"))
    for name in ("one", "three", "gone"):
        end_job(cast("Api", server), name, "shop")
    assert [(verb, what) for verb, what, _ in server.writes] == [("delete", "Job/one")]


def test_who_may_not_look_at_jobs_sees_none() -> None:
    class Closed(Server):
        def list(self, *_: Any, **__: Any) -> Any:
            raise Denied("jobs is forbidden")

    assert left_jobs(cast("Api", Closed()), "shop") == []
