"""Conditions: believed for the generation that they are about, and idle is not unhealthy."""

from __future__ import annotations

import pytest

from shipper_targets.knative.conditions import has_routed, refused_route, state_of, works_on_routes
from shipper_targets.knative.dossiers import finding_of
from shipper_targets.knative.readiness import _standing
from shipper_targets.kubernetes.findings import Patience
from tests.unit.knative.knative_objects import release_of, revision, serving

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ({"Ready": "True", "Active": "True"}, "running"),
        ({"Ready": "True", "Active": "False"}, "running"),
        ({"Ready": "Unknown"}, "starting"),
        ({"Ready": "False"}, "failed"),
        ({"Active": "False"}, "starting"),
    ],
    ids=["active", "scaled to zero", "deploying", "failed", "nothing is said"],
)
def test_the_state_of_a_revision(conditions: dict[str, str], state: str) -> None:
    assert state_of(revision("shop-1", None, **conditions)) == state


def test_a_status_of_an_earlier_generation_says_nothing() -> None:
    one = revision("shop-1", Ready="False")
    one["metadata"]["generation"] = 2
    assert state_of(one) == "starting"


def test_routes_are_judged_although_a_later_revision_has_failed() -> None:
    service = serving(release_of())
    for one in service["status"]["conditions"]:
        if one["type"] in ("Ready", "ConfigurationsReady"):
            one |= {"status": "False", "reason": "RevisionFailed"}
    assert has_routed(service)
    assert not works_on_routes(service)
    assert refused_route(service) is None


def test_a_route_to_what_is_not_made_yet_is_still_worked_on() -> None:
    service = serving(release_of())
    service["status"]["conditions"] = [
        {"type": "RoutesReady", "status": "False", "reason": "RevisionMissing"},
        {"type": "ConfigurationsReady", "status": "Unknown"},
    ]
    assert works_on_routes(service)
    assert refused_route(service) is None


def test_a_false_has_to_stand_for_two_seconds() -> None:
    now = 100.0
    patience = Patience(lambda: now)
    found = _standing(finding_of({"reason": "ContainerMissing", "message": "no such image"}))
    assert patience.judged(found).state == "waiting"
    now += 1.9
    assert patience.judged(found).state == "waiting"
    now += 0.2
    assert patience.judged(found).state == "failed"


@pytest.mark.parametrize(
    ("reason", "message", "cause"),
    [
        ("ContainerMissing", 'Unable to fetch image "x"', "image-missing"),
        ("ImagePullBackOff", "Back-off pulling image", "image-missing"),
        ("ExitCode137", "Container failed with: .", "crashed"),
        ("FailedCreate", 'pods "x" is forbidden: exceeded quota: small', "quota"),
        ("FailedCreate", "admission webhook denied the request", "refused"),
        ("NotOwned", "There is an existing placeholder Service", "name-taken"),
        ("Whatever", "", "platform"),
    ],
)
def test_a_condition_that_is_false_has_a_cause(reason: str, message: str, cause: str) -> None:
    found = finding_of({"reason": reason, "message": message})
    assert (found.state, found.cause) == ("failed", cause)
    assert reason in found.reason or message in found.reason
    assert found.hint
