"""What each command needs, asked of the cluster's own authorizer: that is enough, and one verb less is named."""

from __future__ import annotations

import pytest

from shipper_targets.kubernetes.access import Access
from shipper_targets.kubernetes.permissions import ALL, COMMANDS, Need, Uses, needs, required, rules
from tests.integration.kubernetes.kube_service import KubeService
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

EVERYTHING = ALL


def limited(
    rig: KubeRig, namespace: str, given: list[dict[str, list[str]]], wide: list[dict[str, list[str]]]
) -> Access:
    return Access(KubeService(rig, namespace, kubeconfig=rig.kubeconfig_for(namespace, given, wide)).api)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_role_of_a_command_is_enough_for_it(kube_rig: KubeRig, kube_namespace: str, command: str) -> None:
    wanted = needs(command, EVERYTHING)
    access = limited(kube_rig, kube_namespace, rules(wanted), rules(wanted, wide=True))

    assert access.missing(wanted) == []


def test_an_administrator_lacks_nothing(kube_rig: KubeRig, kube_namespace: str) -> None:
    assert Access(KubeService(kube_rig, kube_namespace).api).missing(needs("release", EVERYTHING)) == []


def test_whoever_may_nothing_lacks_everything(kube_rig: KubeRig, kube_namespace: str) -> None:
    nothing = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]

    missing = limited(kube_rig, kube_namespace, nothing, []).missing(needs("status", Uses()))

    assert {(one.resource, *one.verbs) for one in missing} == {
        (one.resource, *[verb for verb in one.verbs if (one.resource, verb) != ("pods", "get")])
        for one in needs("status", Uses())
    }


def _without(one: Need, verb: str, wanted: tuple[Need, ...]) -> list[dict[str, list[str]]]:
    less = [other.rule([left for left in other.verbs if not (other == one and left == verb)]) for other in wanted]
    return [rule for rule in less if rule["verbs"]]


_WANTED = required(needs("release", ALL))
_PAIRS = [(one, verb) for one in _WANTED for verb in one.verbs]


@pytest.mark.sample(8)
@pytest.mark.parametrize(("one", "verb"), _PAIRS, ids=[f"{verb}-{one.resource}" for one, verb in _PAIRS])
def test_one_verb_less_is_missing_and_nothing_else(
    kube_rig: KubeRig, kube_namespace: str, one: Need, verb: str
) -> None:
    access = limited(kube_rig, kube_namespace, _without(one, verb, _WANTED), [])

    missing = access.missing(_WANTED)

    assert [(found.group, found.resource, found.verbs) for found in missing] == [(one.group, one.resource, (verb,))]
