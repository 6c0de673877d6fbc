"""Each command with exactly its Role, through the gate: it is enough, and nothing in it is there for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from shipper.model import ProbeRequest, TargetSpec
from shipper.targets import Transient
from shipper_targets.knative.permissions import Uses, needs
from shipper_targets.kubernetes.kinds import SECRET
from shipper_targets.kubernetes.permissions import Need, required, rules
from tests.integration.knative.knative_place import KnativePlace

pytestmark = pytest.mark.integration

USES = Uses(once=True, secrets=True, inside=True)
SPARE = {
    ("create", "pods/proxy"),  # a golden request with POST
    ("get", "pods"),  # a command that ends before its log is there
    ("delete", "revisions.serving.knative.dev"),  # one that fails takes its revision away
    ("delete", "services.serving.knative.dev"),  # a first release that fails is put back to nothing
    ("get", "pods/log"),  # of a pod that has crashed
}


class Guarded:
    """Commands as somebody who may do exactly what their Roles say; what they asked is kept."""

    def __init__(self, place: KnativePlace) -> None:
        self.place = place
        self.asked: dict[str, set[tuple[str, str]]] = {}

    @contextmanager
    def commanding(self, command: str) -> Iterator[KnativePlace]:
        place, gate = self.place, self.place.rig.gate
        given = rules(required(needs(command, USES)))
        place.own["kubeconfig"] = str(place.rig.kubeconfig_for(place.namespace, given, gate=True))
        gate.forget(place.namespace)
        yield place
        calls = {(verb, what) for verb, what, *_ in map(str.split, gate.calls(place.namespace))}
        self.asked.setdefault(command, set()).update(calls)


@pytest.fixture
def guarded(place: KnativePlace) -> Guarded:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop"}, "stringData": {"token": "a"}}
    place.api.create(SECRET, body)
    place.sections = {"run": {"secrets": {"TOKEN": "kubernetes:shop/token"}}, "rollout": {"before": ["migrate"]}}
    return Guarded(place)


def test_every_command_works_with_its_role(guarded: Guarded, record_property: Callable[[str, object], None]) -> None:
    with guarded.commanding("plan") as place:
        of_plan = TargetSpec(settings=place.settings, target="kn", command="plan")
        assert place.target().preflight(of_plan) == []
        (lacking,) = [told for told in place.remarks if told.startswith("a release would be refused (32)")]
        assert "delete services.serving.knative.dev" in lacking
        now = place.target().observe()
        plan = place.target().plan(place.release(), now)
        assert not any("could not" in remark or "would not" in remark for remark in plan.remarks), plan.remarks
    with guarded.commanding("release") as place:
        assert place.target().preflight(TargetSpec(settings=place.settings, target="kn")) == []
        versions = place.target().secret_versions({"TOKEN": "kubernetes:shop/token"})
        release = place.release().model_copy(update={"secret_versions": dict(versions)})
        place.rig.nodes.behave("exit", namespace=place.namespace, code=0)
        assert place.target().run_once(release, ["migrate"]) == 0
        place.rig.nodes.behave("good", namespace=place.namespace)
        first = place.goes_out(release)
        second = place.goes_out(place.release("better").model_copy(update={"secret_versions": dict(versions)}))
        third = place.goes_out(place.release("best").model_copy(update={"secret_versions": dict(versions)}))
        with suppress(Transient):  # pods are played here: their addresses lead nowhere
            place.target().ask(ProbeRequest(timeout=1))
        place.target().diagnose(third)
    with guarded.commanding("status") as place:
        assert [one.name for one in place.target().observe().serving] == [third.name]
        with suppress(Transient):
            place.target().ask(ProbeRequest(timeout=1))
    with guarded.commanding("verify") as place:
        assert place.target().observe().unsettled is None
    with guarded.commanding("history") as place:
        assert [one.number for one in place.target().records()] == [release.number, second.number, third.number]
    with guarded.commanding("logs") as place:
        list(place.target().logs(third, lines=3))
    with guarded.commanding("rollback") as place:
        assert place.target().restorable(release).problems == ()
        place.shifts(first)
        target = place.target()
        target.retire([third], "warm", place.stamp(), target.observe().seen)
    with guarded.commanding("gc") as place:
        target = place.target()
        found = target.garbage([release.number], [])  # the third is the newest, which Knative would make again
        gone = target.collect(found, place.stamp(), target.observe().seen)
        assert [one.name for one in gone] == [second.name]
    assert {one.name for one in place.target().observe().revisions} == {first.name, third.name}
    assert ("delete", "revisions.serving.knative.dev") in guarded.asked["gc"]
    with guarded.commanding("remove") as place:
        target = place.target()
        target.remove(place.stamp(), target.observe().seen)
        assert place.target().observe().serving == ()

    for command, asked in guarded.asked.items():
        allowed = {(verb, _qualified(one)) for one in needs(command, USES) for verb in one.verbs}
        assert asked - _reviews() - _LOOKED_FOR <= allowed, command
    wanted = {(verb, _qualified(one)) for one in required(needs("release", USES)) for verb in one.verbs}
    spare = wanted - guarded.asked["release"]
    record_property("spare", sorted(spare))
    assert spare <= SPARE, sorted(spare)


_LOOKED_FOR = {
    ("get", "namespaces"),
    ("get", "configmaps"),
    ("list", "nodes"),
    ("list", "poddisruptionbudgets.policy"),
    ("list", "services.serving.knative.dev"),
}
"""What is tried and done without: by preflight, and where nothing is found."""


def _qualified(one: Need) -> str:
    """As the gate writes it: services.serving.knative.dev, pods/log."""
    resource, _, subresource = one.resource.partition("/")
    whole = f"{resource}.{one.group}" if one.group else resource
    return f"{whole}/{subresource}" if subresource else whole


def _reviews() -> set[tuple[str, str]]:
    """Everybody may ask about himself."""
    kinds = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")
    return {("create", f"{kind}.authorization.k8s.io") for kind in kinds}
