"""A record for which quota leaves no room: an old one that nothing needs makes room, or what to do is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from shipper.model import Release, Stamp, short
from shipper.targets import Conflict, Denied, Invalid
from shipper_targets.kubernetes import writing
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.carriers import Fence
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.kube_errors import Refused
from shipper_targets.kubernetes.making_room import expendable
from shipper_targets.kubernetes.manifest import Manifest, rendered
from shipper_targets.kubernetes.manifests import Manifests
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.records import NoRoom, Record, Records, secret_of
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.retiring import Retiring
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.stamps import stamp_text
from shipper_targets.kubernetes.writing_rolling import RollingWriting
from tests.unit.kubernetes.kube_api import Server
from tests.unit.kubernetes.kube_found import LABELS, deployment, marks, replica_set, revision, service
from tests.unit.kubernetes.kube_found import found as there
from tests.unit.kubernetes.kube_rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit

STAMP = "shipper.dev/stamp"


class Full(Server):
    """A namespace whose quota of Secrets is counted off some calls after one was deleted."""

    def __init__(self, *objects: Any, most: int = 3, late: int = 0) -> None:
        super().__init__(*objects)
        self.most, self.late = most, late
        self.may_delete = True

    def create(self, kind: Any, body: Any, *, dry_run: bool = False) -> Any:
        counted = sum(what.startswith("Secret/") for what in self.objects)
        deleted = [what for verb, what, _ in self.writes if verb == "delete"]
        if deleted and self.late:
            self.late -= 1
            counted += 1
        if kind.kind == "Secret" and counted >= self.most:
            raise Refused(f"create Secret: exceeded quota: q, used: secrets={counted}, limited: secrets={self.most}")
        return super().create(kind, body, dry_run=dry_run)

    def delete(self, kind: Any, name: str, **how: Any) -> None:
        if not self.may_delete:
            raise Denied("secrets is forbidden")
        super().delete(kind, name, **how)

    @property
    def records(self) -> list[int]:
        secrets = [one for what, one in self.objects.items() if what.startswith("Secret/")]
        return sorted(int(one["metadata"]["annotations"]["shipper.dev/number"]) for one in secrets)


def recorded(number: int, content: str) -> dict[str, Any]:
    """The record of a release with this content."""
    release = numbered(number, content)
    whole = render(release, own(), "rolling")
    whole = rendered([*whole.manifests, Manifest(config_map(content))], whole.workload)
    secret = secret_of("shop", release, whole, LABELS, "shops")
    secret["metadata"]["uid"] = f"record {number}"
    return secret


def config_map(content: str) -> dict[str, Any]:
    """What its pods alone ask for, under a name that says what is in it."""
    metadata = {"name": f"of-{content}", "namespace": "shops", "labels": LABELS}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": True}


def numbered(number: int, content: str, back_to: int | None = None) -> Release:
    fingerprint = "sha256:" + content.encode().hex().ljust(64, "0")
    changed = {"id": marks(number)["shipper.dev/release"], "fingerprint": fingerprint, "rollback_to": back_to}
    return release_of(number=number).model_copy(update=changed)


def state(*contents: str, verified: tuple[int, ...] = (), quarantined: str = "", serves: int = 0) -> Found:
    """Releases 1, 2, … with these contents; the newest serves, or the one that is named."""
    serving = serves or len(contents)
    stamp = Stamp(
        epoch=1,
        highest=len(contents),
        verified=verified,
        quarantined=tuple(short(numbered(0, one).fingerprint) for one in quarantined),
    )
    carrier = deployment(serving, annotations={STAMP: stamp_text(stamp, [])})
    records = [Record(recorded(number, content)) for number, content in enumerate(contents, 1)]
    return there(
        deployments=[carrier],
        sets=[replica_set(serving, 3)],
        services=[service("shop")],
        service=service("shop"),
        records=records,
    )


def goes(found: Found, release: Release, count: int = 5) -> int | None:
    one = expendable(found, release, count)
    return one.number if one is not None else None


# Which one.


def test_a_release_takes_the_oldest_that_clean_up_would_take() -> None:
    found = state("a", "b", "c", "d", verified=(1, 2, 3, 4))
    assert goes(found, numbered(5, "e"), count=1) == 1
    assert goes(found, numbered(5, "e"), count=2) == 1
    assert goes(found, numbered(5, "e"), count=3) is None


def test_what_was_never_verified_goes_before_what_can_come_back() -> None:
    found = state("a", "b", "c", "d", verified=(1, 3, 4))
    assert goes(found, numbered(5, "e")) == 2


def test_what_the_stamp_is_too_short_for_may_have_been_verified() -> None:
    found = state("a", "b", "c", verified=(3,))
    assert goes(found, numbered(4, "d"), count=2) is None
    assert goes(found, numbered(4, "d"), count=1) == 1


def test_where_nobody_knows_what_was_verified_everything_stays() -> None:
    assert goes(state("a", "b", "c"), numbered(4, "b", back_to=2), count=1) is None


def test_a_rollback_has_no_more_ways_back_than_fit_and_what_comes_back_is_one() -> None:
    found = state("a", "b", "c", verified=(1, 2, 3))
    assert goes(found, numbered(4, "b", back_to=2)) == 1
    assert goes(found, numbered(4, "a", back_to=1)) is None
    assert goes(state("a", "b", verified=(1, 2)), numbered(3, "a", back_to=1)) is None


def test_as_it_comes_back_with_other_secret_values_its_own_record_stays() -> None:
    found = state("a", "b", "c", "d", verified=(1, 2, 3, 4))
    assert goes(found, numbered(5, "a with the values of now", back_to=1), count=1) == 2


def test_what_is_newer_than_what_serves_stays() -> None:
    """Of a run that may be at work, or that died."""
    found = state("a", "b", "c", verified=(1, 2), serves=2)
    assert goes(found, numbered(4, "a", back_to=1), count=1) is None


def test_of_one_content_the_newest_record_is_enough() -> None:
    """A rollback leaves another one of what it had brought back."""
    assert goes(state("a", "b", "a", verified=(1, 2, 3)), numbered(4, "d")) == 1
    assert goes(state("a", "b", "a", "c", verified=(1, 2, 4)), numbered(5, "d")) is None, "#3 never was verified"


def test_what_a_rollback_goes_to_by_itself_stays_beside_what_is_quarantined() -> None:
    found = state("a", "b", "c", "d", verified=(1, 2, 3, 4), quarantined="c")
    assert goes(found, numbered(5, "e"), count=1) == 1


def test_a_record_that_a_deployment_is_started_with_stays() -> None:
    found = state("a", "b", "c", verified=(1, 2, 3))
    stopped = deployment(1, name=revision(1), replicas=0)
    with_it = replace(found, deployments=[*found.deployments, stopped])
    assert goes(with_it, numbered(4, "d"), count=1) is None


# How it goes.


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LOOK", 0.0)


class Told(list[str]):
    def remark(self, text: str) -> None:
        self.append(text)


def writes_to(server: Full, told: Told | None = None) -> RollingWriting:
    mine, place = own(), settings_of()
    reading = Reading(cast("Api", server), place, mine, "rolling")
    manifests = Manifests(reading.records, mine, Source(mine, Path("/nonexistent"), None))
    fence = Fence(cast("Api", server), reading, place, mine)
    return RollingWriting(cast("Api", server), reading, fence, manifests, place, mine, cast("Any", told))


def full(found: Found, **how: Any) -> Full:
    contents = [bytes.fromhex(one.fingerprint.partition(":")[2]).decode().rstrip("\0") for one in found.records]
    secrets = [
        {**recorded(one.number, content), "kind": "Secret"}
        for one, content in zip(found.records, contents, strict=True)
    ]
    return Full(*secrets, *found.deployments, **how)


def records(server: Full, found: Found, release: Release, told: Told | None = None) -> RollingWriting:
    made = writes_to(server, told)
    made.harmless(release, render(release, own(), "rolling"), found)
    return made


def test_a_rollback_is_recorded_in_its_place_and_says_so() -> None:
    found = state("a", "b", "c", verified=(1, 2, 3))
    server, told = full(found, late=2), Told()
    made = records(server, found, numbered(4, "b", back_to=2), told)
    assert server.records == [2, 3, 4]
    (remark,) = told
    assert "no room for the record of release 4" in remark
    assert "of release 1, was deleted" in remark
    assert [one.number for one in made.dropped] == [1]


def test_what_was_applied_for_it_alone_goes_when_the_release_has_its_place() -> None:
    found = state("a", "b", "c", verified=(1, 2, 3))
    server = full(found)
    server.objects |= {f"ConfigMap/of-{content}": config_map(content) for content in "abc"}
    made = records(server, found, numbered(4, "b", back_to=2))
    Retiring(made).prune(replace(found, records=found.records[1:]))
    assert [what for what in server.objects if what.startswith("ConfigMap/of-")] == ["ConfigMap/of-b", "ConfigMap/of-c"]


def test_a_release_that_can_spare_none_is_refused_and_told_what_to_do() -> None:
    found = state("a", "b", "c", verified=(1, 2, 3))
    server = full(found)
    with pytest.raises(NoRoom, match="exceeded quota") as refused:
        records(server, found, numbered(4, "d"))
    assert "shipper gc --keep 1" in refused.value.hint
    assert server.records == [1, 2, 3]


def test_who_may_not_delete_is_told_of_the_quota() -> None:
    found = state("a", "b", "c", verified=(1, 2, 3))
    server = full(found)
    server.may_delete = False
    with pytest.raises(NoRoom, match="exceeded quota"):
        records(server, found, numbered(4, "b", back_to=2))


def test_room_that_does_not_come_is_not_made_of_a_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "COUNTED_OFF", 0.0)
    found = state("a", "b", "c", "d", verified=(1, 2, 3, 4))
    server = full(found, most=2)
    with pytest.raises(NoRoom):
        records(server, found, numbered(5, "c", back_to=3))
    assert server.records == [2, 3, 4]


def test_a_run_that_was_overtaken_deletes_nothing() -> None:
    found = state("a", "b", "c", verified=(1, 2, 3))
    server = full(found)
    theirs = deployment(3, annotations={STAMP: stamp_text(Stamp(epoch=9), [])})
    server.objects["Deployment/shop"] = theirs
    with pytest.raises(Conflict, match="overtaken"):
        records(server, found, numbered(4, "b", back_to=2))
    assert server.records == [1, 2, 3]


def test_what_is_recorded_already_needs_no_room() -> None:
    """Quota is asked before anybody looks whether it is there: a write that is made again, or a stopped revision."""
    found = state("a", "b", "c", verified=(1, 2, 3))
    server = full(found)
    records(server, found, numbered(2, "b"))
    assert server.records == [1, 2, 3]


def test_nor_does_another_secret_of_that_name_pass_for_it() -> None:
    found = state("a", "b", "c", verified=(1, 2, 3))
    server = full(found)
    name = secret_of("shop", numbered(2, "b"), render(numbered(2, "b"), own(), "rolling"), {}, "")["metadata"]["name"]
    server.objects[f"Secret/{name}"]["metadata"]["annotations"]["shipper.dev/release"] = "another"
    with pytest.raises(Invalid, match="not the record of release 2"):
        records(server, found, numbered(2, "b"))


def test_a_refusal_for_another_reason_is_not_told_of_quota() -> None:
    class Refusing(Server):
        def create(self, *_: Any, **__: Any) -> Any:
            raise Refused("create Secret: a policy")

    release = release_of()
    with pytest.raises(Refused) as refused:
        Records(cast("Api", Refusing()), "shop", "").write(release, render(release, own(), "rolling"), {})
    assert refused.value.hint == ""
