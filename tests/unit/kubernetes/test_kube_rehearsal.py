"""What a rehearsal says of objects that the cluster would not take: in its words, with what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shipper.model import Problem
from shipper.targets import Denied, Invalid, PlatformError
from shipper_targets.kubernetes import preflight
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import POD, SECRET, Kind
from shipper_targets.kubernetes.kube_errors import Immutable
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.rehearsal import pod_problems, record_problems, rehearsal_problems
from shipper_targets.kubernetes.render import render
from tests.unit.kubernetes.kube_found import record
from tests.unit.kubernetes.kube_rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit

WHOLE = render(release_of(), own(), "rolling")


class Refusing:
    """An API server that refuses every object of one kind."""

    namespace = "shops"

    def __init__(self, kind: Kind | str, error: PlatformError) -> None:
        self._kind, self._error = str(kind), error

    def create(self, kind: Kind, body: Mapping[str, Any], *, dry_run: bool) -> Mapping[str, Any]:
        assert dry_run
        return self._asked(body)

    def find(self, *_: object) -> None:
        """Nothing is there yet."""

    def apply(self, manifest: Mapping[str, Any], *, force: bool, dry_run: bool) -> Mapping[str, Any]:
        assert dry_run
        return self._asked(manifest)

    def _asked(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if body["kind"] == self._kind:
            raise self._error
        return body


@pytest.mark.parametrize(
    ("kind", "problems", "message"),
    [
        (POD, pod_problems, "its pods would be refused: no PriorityClass with name high was found"),
        (
            SECRET,
            partial(record_problems, spare=lambda: None),
            "the Secret of its record would be refused: no PriorityClass with name high was found",
        ),
    ],
)
def test_new_objects_that_are_refused_are_problems_and_what_is_not_permitted_is_told_with_the_permissions(
    kind: Kind, problems: Callable[..., Any], message: str
) -> None:
    remarks = list[str]()
    (found,) = problems(
        Refusing(kind, Invalid("no PriorityClass with name high was found")), WHOLE, own(), remark=remarks.append
    )
    assert (found.code, found.message, remarks) == (2, message, [])

    assert list(problems(Refusing(kind, Denied("not permitted")), WHOLE, own(), remark=remarks.append)) == []
    assert remarks == []


def refusing(words: str) -> Api:
    """A new record."""
    return cast("Api", Refusing(SECRET, Invalid(f"create Secret: {words}")))


FULL = refusing("exceeded quota: q, requested: secrets=1")


def test_a_record_that_quota_refuses_is_a_problem_unless_an_old_one_makes_room() -> None:
    remarks = list[str]()
    (problem,) = record_problems(FULL, WHOLE, own(), spare=lambda: None, remark=remarks.append)
    assert (problem.code, "shipper gc --keep 1" in problem.hint, remarks) == (2, True, [])

    old = record(3)
    assert list(record_problems(FULL, WHOLE, own(), spare=lambda: old, remark=remarks.append)) == []
    assert remarks == ["quota leaves no room for another record: that of release 3 goes, which need not come back"]


def test_what_refuses_for_another_reason_lets_no_record_go() -> None:
    asked = list[bool]()

    def spare() -> None:
        asked.append(True)

    (problem,) = record_problems(refusing("a policy"), WHOLE, own(), spare=spare, remark=print)
    assert ("gc" in problem.hint, asked) == (False, [])


@pytest.mark.parametrize(
    ("kind", "problems"), [(POD, pod_problems), (SECRET, partial(record_problems, spare=lambda: None))]
)
def test_objects_without_a_name_yet_can_be_refused_for_a_field(kind: Kind, problems: Callable[..., Any]) -> None:
    api = Refusing(kind, Invalid("is invalid: spec.tolerations[0].effect: Invalid value"))
    for settings in (own(), own(manifests=["k8s"])):
        (found,) = problems(api, WHOLE, settings, remark=lambda _: None)
        assert found.hint


JOB = Manifest({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": "shops"}})


@pytest.mark.parametrize(
    ("whole", "kind", "field", "hint"),
    [
        (WHOLE, "Deployment", "spec.selector", "blue-green"),
        (Rendered((WHOLE.main, JOB), WHOLE.workload, ""), "Job", "spec.template", "[rollout] before"),
        (WHOLE, "Service", "spec.clusterIP", "give it another name"),
    ],
)
def test_what_cannot_be_changed_says_what_to_do_instead(whole: Rendered, kind: str, field: str, hint: str) -> None:
    """Deleting a Deployment that serves would be an outage."""
    api: Any = Refusing(kind, Immutable("field is immutable", [field]))

    (found,) = rehearsal_problems(api, whole, own(), before=lambda one: one, remark=lambda _: None)

    assert (found.code, hint in found.hint) == (2, True)


def test_of_what_the_cluster_would_not_take_no_pod_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Manifests of the project's own may have no pod in them at all."""
    found = Problem(code=2, key="targets", message="no spec", hint="")
    nothing: Callable[..., Any] = lambda *_, **__: []  # noqa: E731
    for name in ("permission_problems", "gateway_problems", "reference_problems", "_not_secure"):
        monkeypatch.setattr(preflight, name, nothing)
    for name in ("namespace_of", "secret_versions"):
        monkeypatch.setattr(preflight, name, lambda *_: ({}, []))
    room = SimpleNamespace(platforms=lambda: (), problems=nothing)
    monkeypatch.setattr(preflight, "Room", lambda *_: room)
    monkeypatch.setattr(preflight, "rehearsal_problems", lambda *_, **__: [found])
    api: Any = SimpleNamespace(find=lambda *_: None)
    whole = Rendered((JOB,), JOB.key, "")

    told = preflight.Preflight(api, own(), lambda _: whole).problems(settings_of(), "kube")

    assert told == [found]
