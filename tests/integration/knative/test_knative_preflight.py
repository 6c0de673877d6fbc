"""Before anything is built: what Knative would refuse, what is missing, and what we may do; never a write."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import Problem, TargetSpec
from shipper.targets import Denied, PlatformError
from shipper_targets.knative.kinds import SERVICE
from shipper_targets.knative.permissions import Uses, needs
from shipper_targets.kubernetes.kinds import NAMESPACE, SECRET
from shipper_targets.kubernetes.permissions import Need, required, rules
from tests.integration.knative.knative_place import KnativePlace, image_of

pytestmark = pytest.mark.integration


def problems(place: KnativePlace, kubeconfig: Any = None) -> list[Problem]:
    """Of a release with the place's sections."""
    return list(place.target(kubeconfig).preflight(TargetSpec(settings=place.settings, target="kn")))


def test_a_release_that_fits_has_no_problems_and_nothing_is_written(place: KnativePlace) -> None:
    place.sections = {"run": {"cpu": 0.5, "memory": "64MiB", "env": {"A": "b"}}, "scale": {"min": 1, "max": 3}}
    assert problems(place) == []
    assert place.api.list(SERVICE).items == ()

    place.goes_out(place.release())
    before = place.service()["metadata"]["generation"]
    assert problems(place) == []
    assert place.service()["metadata"]["generation"] == before


@pytest.mark.parametrize(
    ("sections", "own", "key"),
    [
        ({"run": {"port": 8012}}, {}, "run.port"),
        ({"run": {"env": {"K_REVISION": "x"}}}, {}, "run.env"),
        ({"scale": {"concurrency": 5000}}, {}, "scale.concurrency"),
        ({}, {"timeout": "2h"}, "targets.timeout"),
        ({}, {"priority_class": "high"}, "targets.priority_class"),
        ({"run": {"secrets": {"TOKEN": "kubernetes:none/token"}}}, {}, "run.secrets.TOKEN"),
        ({"run": {"volumes": [{"source": "configmap:none", "target": "/x"}]}}, {}, "run.volumes"),
        ({}, {"service_account": "none"}, "targets.service_account"),
        ({}, {"namespace": "nowhere-at-all"}, "targets.namespace"),
    ],
)
def test_what_is_wrong_is_found_with_its_key(
    place: KnativePlace, sections: dict[str, Any], own: dict[str, Any], key: str
) -> None:
    place.sections = sections
    place.own |= own
    (one,) = problems(place)
    assert (one.code, one.key) == (2, key)
    assert one.hint


def test_what_only_the_pods_admission_knows_is_found_by_the_rehearsal(place: KnativePlace) -> None:
    """Knative makes a pod on a dry run, and the API server says what it thinks of it: nothing else here would."""
    level = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    place.api.merge(NAMESPACE, place.namespace, level)
    assert problems(place) == []

    place.own["security"] = {"seccomp": "Unconfined"}
    (one,) = problems(place)
    assert one.code == 2
    assert "seccompProfile" in one.message or "PodSecurity" in one.message, one
    assert "tighten [targets.<name>] security" in one.hint, one


def test_secrets_are_pinned_and_a_change_is_another_version(place: KnativePlace) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop"}, "stringData": {"token": "a"}}
    place.api.create(SECRET, body)
    target = place.target()
    references = {"TOKEN": "kubernetes:shop/token"}
    first = target.secret_versions(references)
    place.api.merge(SECRET, "shop", {"stringData": {"token": "b"}})

    assert target.secret_value("kubernetes:shop/token") == b"b"
    assert target.secret_versions(references) != first
    with pytest.raises(PlatformError, match="--secrets current"):
        target.secret_versions(first)


def test_exactly_the_role_of_the_table_is_enough_for_a_release(place: KnativePlace) -> None:
    wanted = needs("release", Uses.of(place.settings, place.target()._own))
    file = place.rig.kubeconfig_for(place.namespace, rules(wanted))
    place.own["kubeconfig"] = str(file)

    assert problems(place) == []
    first = place.goes_out(place.release())
    second = place.goes_out(place.release("better"))
    place.shifts(first)
    place.rig.nodes.behave("crash", namespace=place.namespace, image=image_of("loud").reference, lines=["no password"])
    loud = place.creates(place.release("loud"))
    assert place.follows(loud).state == "failed"
    assert any("no password" in line for line in place.target().logs(loud, lines=5))
    target = place.target()
    target.retire([second], "removed", place.stamp(), target.observe().seen)
    target.remove(place.stamp(), target.observe().seen)


def test_one_verb_less_is_named(place: KnativePlace) -> None:
    wanted = required(needs("release", Uses.of(place.settings, place.target()._own)))
    told = {}
    for one in wanted:
        for verb in one.verbs:
            file = place.rig.kubeconfig_for(place.namespace, rules(_without(wanted, one, verb)))
            told[one.resource, verb] = problems(place, file)
    for (resource, verb), found in told.items():
        assert [problem.code for problem in found] == [32], (resource, verb, found)
        assert verb in found[0].message
        assert resource.partition("/")[0] in found[0].message


def test_who_may_nothing_is_told_so(place: KnativePlace) -> None:
    file = place.rig.kubeconfig_for(place.namespace, [])
    assert {one.code for one in problems(place, file)} == {32}
    with pytest.raises(Denied):
        place.target(file).observe()


def test_what_gitops_owns_is_refused_with_the_right_advice(place: KnativePlace) -> None:
    place.goes_out(place.release())
    place.by_hand({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "shops:x/y:ns/shop"}}})
    (one,) = problems(place)
    assert "managed by Argo CD" in one.message
    assert "shipper publish" in one.hint
    assert "shipper render" in one.hint


def test_somebody_elses_service_is_not_taken(place: KnativePlace) -> None:
    place.goes_out(place.release())
    place.by_hand({"metadata": {"labels": {"shipper.dev/environment": "staging"}}})
    (one,) = problems(place)
    assert one.key == "targets.name"
    assert "shop in staging" in one.message


def _without(all_of_them: tuple[Need, ...], one: Need, verb: str) -> list[Need]:
    left = Need(one.group, one.resource, tuple(other for other in one.verbs if other != verb), one.wide, one.why)
    return [left if other == one else other for other in all_of_them if other != one or left.verbs]
