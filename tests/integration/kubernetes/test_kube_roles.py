"""Each command with exactly its Role, through the gate: the Role is enough, and nothing in it is there for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from shipper.model import ProbeRequest, Release, Revision, TargetSpec
from shipper.targets import Transient
from shipper_targets.kubernetes.permissions import Need, Uses, needs, required, rules
from shipper_targets.kubernetes.rolling import RollingTarget
from shipper_targets.kubernetes.weighted import WeightedTarget
from tests.integration.kubernetes.kube_place import KubePlace, until_ready
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

Target = RollingTarget | WeightedTarget
SECTIONS: dict[str, Any] = {"run": {"env": {"MODE": "one"}, "cpu": 0.1}, "scale": {"min": 2, "max": 3}}
USES = Uses(once=True, account=True, variables=True, autoscaled=True, disruptions=True)
GATEWAY = {"gateway": {"name": "front", "hosts": ["shop.example.com"]}}


class Guarded(KubePlace):
    """A service whose every command runs as somebody who may do exactly what its Role says."""

    def __init__(self, rig: KubeRig, uses: Uses, **more: Any) -> None:
        self.rig, self.uses = rig, uses
        namespace = rig.namespace()
        rig.nodes.behave("good", namespace=namespace)
        super().__init__(namespace, rig.kubeconfig(), sections=SECTIONS, pre_stop=0, **more)
        self.asked: dict[str, set[tuple[str, str]]] = {}

    def target(self) -> Target:
        return self.weighted() if self.uses.weighted else self.rolling()

    @contextmanager
    def commanding(self, command: str) -> Iterator[None]:
        """What is asked in the block is kept under the command's name."""
        given = rules(required(needs(command, self.uses)))
        self.own["kubeconfig"] = str(self.rig.kubeconfig_for(self.namespace, given, gate=True))
        self.rig.gate.forget(self.namespace)
        yield
        calls = {(verb, resource) for verb, resource, *_ in map(str.split, self.rig.gate.calls(self.namespace))}
        self.asked.setdefault(command, set()).update(calls)

    def releases(self, release: Release) -> Revision:
        """As rollout does it, with a look at everything on the way."""
        self.begins()
        target = self.target()
        now = target.observe()
        if isinstance(target, WeightedTarget):
            revision = target.create(release, self.stamp(now), now.seen)
        else:
            revision = target.replace(release, self.stamp(now), now.seen)
        until_ready(target, revision)
        self._looks(target, revision)
        now = target.observe()
        if isinstance(target, WeightedTarget):
            target.shift({revision.name: 100}, self.stamp(now), now.seen)
        now = target.observe()
        old = [one for one in now.revisions if one.name != revision.name]
        target.retire(old, "removed", self.stamp(now), now.seen)
        return revision

    def _looks(self, target: Target, revision: Revision) -> None:
        for ask in (lambda: target.probe(revision, ProbeRequest(timeout=1)), lambda: _asked(target)):
            with suppress(Transient):  # pods are played here: their addresses lead nowhere
                ask()
        list(target.logs(revision, lines=3))
        target.diagnose(revision)

    def removes(self) -> None:
        now = self.target().observe()
        self.target().remove(self.stamp(now), now.seen)


def _asked(target: Target) -> None:
    """The Service as a client inside would: it has endpoints when the revision has its traffic."""
    target.ask(ProbeRequest(timeout=1))


@pytest.fixture
def guarded(kube_rig: KubeRig) -> Iterator[Callable[..., Guarded]]:
    made: list[Guarded] = []

    def make(uses: Uses, **more: Any) -> Guarded:
        made.append(Guarded(kube_rig, uses, **more))
        return made[-1]

    yield make
    for one in made:
        kube_rig.drop(one.namespace)


@pytest.mark.parametrize(
    ("uses", "own"),
    [(USES, {}), (replace(USES, weighted=True, gateway=True), GATEWAY)],
    ids=["rolling", "canary"],
)
def test_every_command_works_with_its_role(
    guarded: Callable[..., Guarded], uses: Uses, own: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    place = guarded(uses, **own)
    if uses.weighted:
        place.sets(rollout={"strategy": "canary"})
    _whole_life(place)

    for command, asked in place.asked.items():
        allowed = {(verb, _qualified(one)) for one in needs(command, uses) for verb in one.verbs}
        assert asked - _reviews() - _DONE_WITHOUT <= allowed, command
    spare = {(verb, _qualified(one)) for one in required(needs("release", uses)) for verb in one.verbs} - place.asked[
        "release"
    ]
    record_property("spare", sorted(spare))
    assert spare <= _SPARE, sorted(spare)


_DONE_WITHOUT = {
    ("list", "ingresses.networking.k8s.io"),  # what `remove` looks for when no release ever had one
    ("get", "httproutes.gateway.networking.k8s.io"),  # a route of a Gateway of before, when no release ever had one
    ("create", "secrets"), ("list", "poddisruptionbudgets.policy"),  # what a plan tries, and remarks
}  # fmt: skip
"""Refused where the Role has it not."""

_SPARE = {
    ("create", "pods/proxy"),  # a golden request with POST
    ("get", "pods"),  # asking the Service, when it has endpoints
    ("create", "configmaps"), ("create", "deployments.apps"), ("create", "httproutes.gateway.networking.k8s.io"),
    ("create", "horizontalpodautoscalers.autoscaling"), ("create", "poddisruptionbudgets.policy"),
    ("create", "serviceaccounts"),  # by server-side apply: its verb is patch, and the API server asks for both
    ("delete", "jobs.batch"), ("patch", "jobs.batch"),
    ("create", "jobs.batch"), ("watch", "jobs.batch"),  # test_kube_jobs.py
}  # fmt: skip


def _whole_life(place: Guarded) -> None:
    with place.commanding("plan"):
        of_plan = TargetSpec(settings=place.settings, target="kube", command="plan")
        assert place.target().preflight(of_plan) == []
        (lacking,) = [told for told in place.remarks if told.startswith("a release would be refused (32)")]
        assert "create, delete secrets" in lacking
        plan = place.target().plan(place.release(), place.target().observe())
        assert plan.remarks == ()
    with place.commanding("release"):
        assert place.target().preflight(of_plan.model_copy(update={"command": "release"})) == []
        first = place.releases(place.release())
        place.removes()  # a first release that fails is put back to nothing
        place.sets(run={"env": {"MODE": "two"}, "cpu": 0.1})
        first = place.releases(place.release("one"))
        place.sets(run={"env": {"MODE": "three"}, "cpu": 0.1})
        second_release = place.release("two")
        second = place.releases(second_release)
    assert first.name != second.name
    with place.commanding("plan"):
        plan = place.target().plan(place.release("three"), place.target().observe())
        assert (plan.summary, plan.remarks) == ("a new revision", ())
    with place.commanding("status"):
        target = place.target()
        assert [one.release for one in target.observe().serving] == [second_release.id]
        with suppress(Transient):
            target.ask(ProbeRequest(timeout=1))
    with place.commanding("history"):
        assert second_release.id in [one.id for one in place.target().records()]
    with place.commanding("logs"):
        list(place.target().logs(second, lines=3))
    with place.commanding("rollback"):
        place.releases(place.release(back_to=second_release))
    with place.commanding("gc"):
        now = place.target().observe()
        place.target().collect(place.target().garbage([], []), place.stamp(now), now.seen)
    with place.commanding("remove"):
        place.removes()
    assert place.target().observe().serving == ()


def _qualified(one: Need) -> str:
    """As the gate writes it: deployments.apps, pods/log."""
    resource, _, subresource = one.resource.partition("/")
    whole = f"{resource}.{one.group}" if one.group else resource
    return f"{whole}/{subresource}" if subresource else whole


def _reviews() -> set[tuple[str, str]]:
    """Everybody may ask about himself."""
    kinds = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")
    return {("create", f"{kind}.authorization.k8s.io") for kind in kinds}
