"""What was read is told again only while it cannot have changed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from google.cloud import run_v2

from shipper.errors import Transient
from shipper_targets.cloudrun import reading
from shipper_targets.cloudrun.names import Names, names_of
from shipper_targets.cloudrun.reading import Reading
from shipper_targets.cloudrun.traffic import targets
from tests.unit.cloudrun.rendering import own, release_of

pytestmark = pytest.mark.unit


@dataclass
class Platform:
    """One service with revisions, and a count of what was asked."""

    names: Names = field(default_factory=lambda: names_of(release_of().settings, own()))
    revision_names: list[str] = field(default_factory=lambda: ["one"])
    asked: list[str] = field(default_factory=list)
    there: run_v2.Service = field(default_factory=run_v2.Service)

    def __post_init__(self) -> None:
        self.route({"one": 100}, "1")

    def route(self, weights: dict[str, int], etag: str) -> None:
        self.there.etag, self.there.traffic = etag, targets(weights, {})

    def service(self) -> run_v2.Service:
        self.asked.append("service")
        return run_v2.Service(self.there)

    def revisions(self) -> list[run_v2.Revision]:
        self.asked.append("revisions")
        return [run_v2.Revision(name=self.names.revision(name)) for name in self.revision_names]

    def read(self) -> Reading:
        return Reading(self)  # type: ignore[arg-type]


def names(found: reading.Found) -> list[str]:
    return [one.name.rpartition("/")[2] for one in found.revisions]


def test_the_service_is_read_each_time_and_its_revisions_once() -> None:
    platform = Platform()
    read = platform.read()
    read.now()
    platform.route({"one": 100}, "2")
    found = read.now()
    assert found.service is not None
    assert found.service.etag == "2"
    assert platform.asked == ["service", "revisions", "service"]


@pytest.mark.parametrize(
    "change",
    [
        lambda there: setattr(there, "latest_created_revision", "two"),
        lambda there: setattr(there, "latest_ready_revision", "two"),
        lambda there: setattr(there.template, "revision", "two"),
        lambda there: setattr(there, "uid", "another service of this name"),
        lambda there: there.conditions.append({"type_": "ConfigurationsReady", "state": "CONDITION_FAILED"}),
        lambda there: setattr(there, "traffic", targets({"one": 50, "two": 50}, {})),
        lambda there: setattr(there, "traffic", targets({"one": 100}, {"beta": "two"})),
        lambda there: there.traffic_statuses.append({"revision": "two", "percent": 100}),
    ],
)
def test_whatever_makes_a_revision_has_them_listed_again(change: object) -> None:
    platform = Platform()
    read = platform.read()
    assert names(read.now()) == ["one"]
    platform.revision_names = ["one", "two"]
    change(platform.there)  # type: ignore[operator]
    assert names(read.now()) == ["one", "two"]


def test_after_a_while_they_are_listed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform()
    read = platform.read()
    read.now()
    platform.revision_names = []
    monkeypatch.setattr(reading, "RECENT", -1.0)
    assert names(read.now()) == []


def test_after_a_write_that_makes_revisions_they_are_listed_again() -> None:
    platform = Platform()
    read = platform.read()
    read.now()
    read.forget()
    read.now()
    assert platform.asked.count("revisions") == 1
    read.forget(revisions=True)
    read.now()
    assert platform.asked.count("revisions") == 2


def test_what_was_just_seen_is_written_upon_without_another_look() -> None:
    platform = Platform()
    read = platform.read()
    read.now()
    seen = read.seen("1")
    assert seen is not None
    assert platform.asked.count("service") == 1
    seen.etag = "changed by whoever writes"
    assert read.recent().service == platform.there


@pytest.mark.parametrize("why", ["another etag", "at work", "a while ago", "written since"])
def test_else_it_is_read_again(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform()
    platform.there.reconciling = why == "at work"
    read = platform.read()
    read.now()
    if why == "a while ago":
        monkeypatch.setattr(reading, "RECENT", -1.0)
    if why == "written since":
        read.forget()
    assert read.seen("2" if why == "another etag" else "1") is None


def test_a_list_that_fails_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform()
    read = platform.read()
    read.now()
    read.forget(revisions=True)
    monkeypatch.setattr(reading, "retry_transient", lambda call: call())

    def fails() -> list[run_v2.Revision]:
        raise Transient("nothing answers")

    with monkeypatch.context() as broken:
        broken.setattr(platform, "revisions", fails)
        with pytest.raises(Transient):
            read.now()
    platform.revision_names = ["one", "two"]
    assert names(read.now()) == ["one", "two"]
