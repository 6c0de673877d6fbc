"""What Knative's conditions mean for a Service and for a revision. Pure, never raises.

A status is believed only for the generation that it is about. A False just after a write may turn True by itself (the
reconcilers see one another's work one after the other): whoever gives up over one has to see it stand for WINDOW.
"""

from __future__ import annotations

from typing import Literal

from shipper_targets.kubernetes.values import Object, condition, is_leaving, number, text

WINDOW = 2.0
"""Seconds that a False must last: as the kn command has it."""

READY, ROUTES, MADE = "Ready", "RoutesReady", "ConfigurationsReady"

_OF_TARGETS = ("RevisionMissing", "ConfigurationMissing", "RevisionNotOwned")
"""Reasons of a route whose targets cannot be routed to (serving v0.48, pkg/apis/serving/v1/route_lifecycle.go)."""

State = Literal["running", "stopped", "starting", "failed"]


def is_current(item: Object) -> bool:
    """Whether the status is about what is asked for now."""
    return number(item, "status", "observedGeneration") >= number(item, "metadata", "generation")


def is_outdated(service: Object) -> bool:
    """Whether what a Service's status says of its template is about an earlier one, although the status is current:
    its Configuration has not been reconciled (serving, pkg/reconciler/service/service.go).
    """
    return text(condition(service, "ConfigurationsReady"), "reason") == "OutOfDate"


def says(item: Object, kind: str, status: str) -> bool:
    """Whether the condition has this status, and is about what is asked for now."""
    return is_current(item) and text(condition(item, kind), "status") == status


def works_on_routes(service: Object) -> bool:
    """Whether its routes may still become what was asked for, without anybody's doing."""
    routes, made = text(condition(service, ROUTES), "status"), text(condition(service, MADE), "status")
    if not is_current(service) or routes not in ("True", "False"):
        return True
    return routes == "False" and made not in ("True", "False")


def has_routed(service: Object) -> bool:
    """Whether it routes as its spec asks. `Ready` says more: it stays False for ever after a revision that failed."""
    return says(service, ROUTES, "True")


def refused_route(service: Object) -> Object | None:
    """The condition that says why it does not route as it was asked to; None while it works, or when all is well."""
    if works_on_routes(service) or not says(service, ROUTES, "False"):
        return None
    return condition(service, ROUTES)


def lacks_a_target(service: Object) -> bool:
    """Whether it routes as it did before, whatever its spec asks: one of the revisions that are asked for is not ready,
    or not there. Knative does not touch the ingress then.
    """
    return is_current(service) and text(condition(service, ROUTES), "reason") in _OF_TARGETS


def has_given_up(service: Object) -> Object | None:
    """The condition that says why the newest revision could not be made; None while it works, or when all is well."""
    return condition(service, MADE) if says(service, MADE, "False") else None


def state_of(revision: Object) -> State:
    """A revision that is ready can take traffic at once, whether it has instances or not: it counts as running.

    `Active` is not asked: it is False because a revision is scaled to zero, and that is healthy.
    """
    if is_leaving(revision):
        return "failed"
    if says(revision, READY, "True"):
        return "running"
    return "failed" if says(revision, READY, "False") else "starting"


def told_by(found: Object) -> tuple[str, str]:
    """Reason and message of a condition."""
    return text(found, "reason"), text(found, "message").strip()
