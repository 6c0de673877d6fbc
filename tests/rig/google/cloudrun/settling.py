"""Reconciliation: from what is wanted and how the revisions stand to conditions, routes and the end of operations.

Level-triggered: `settle` looks at everything and can be called at any time. It follows Service.reconciling's
description, and Knative where that says nothing:
* as long as the latest created revision is not ready, ConfigurationsReady and Ready are not true, whatever is routed;
  so the operation of a write that changes only traffic ends with that revision's error (code 9) although RoutesReady is
  true and traffic_statuses are what was asked. Knative's semantics, the hostile reading; not verified on Cloud Run;
* routes are set all together or not at all: with a target that is missing or failed, traffic_statuses keep the last
  serving state;
* LATEST is the latest *ready* revision; a named target is served as soon as it is ready.
"""

from __future__ import annotations

from google.cloud import run_v2

from tests.rig.google.cloudrun.conditions import GOOD, WAITING, Verdict, newer, of_verdict
from tests.rig.google.cloudrun.contract import Router
from tests.rig.google.cloudrun.kept import Kept
from tests.rig.google.cloudrun.names import short
from tests.rig.google.cloudrun.policies import may_invoke
from tests.rig.google.cloudrun.revisions import ready, set_active

LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST


def settle(kept: Kept, router: Router) -> Verdict:
    """Bring conditions, statuses and routes up to date; gives how the whole service stands. Under the state's lock."""
    _choose_latest_ready(kept)
    configuration = _configuration(kept)
    routes = _routes(kept, configuration)
    if routes.state == "ok":
        program(kept, router)
    whole = _whole(configuration, routes)
    service = kept.service
    if service.reconciling and whole.state != "pending":
        service.reconciling = False
        if whole.state == "ok":
            service.observed_generation = service.generation
        kept.touch()
    service.terminal_condition = newer(service.terminal_condition, of_verdict("Ready", whole))
    parts = (of_verdict("RoutesReady", routes), of_verdict("ConfigurationsReady", configuration))
    service.conditions = [newer(was, now) for was, now in zip(service.conditions, parts, strict=True)]
    routed = kept.routed()
    for name, revision in kept.revisions.items():
        set_active(revision, name in routed)
    return whole


def _choose_latest_ready(kept: Kept) -> None:
    there = [name for name, revision in kept.revisions.items() if ready(revision)]
    if there:
        kept.service.latest_ready_revision = there[-1]  # in the order in which they were made


def _configuration(kept: Kept) -> Verdict:
    newest = kept.newest()
    if newest is None or newest.reconciling:
        return WAITING
    if ready(newest):
        return GOOD
    outcome = kept.outcomes[newest.name]
    message = f"Revision '{short(newest.name)}' is not ready and cannot serve traffic. {outcome.message}"
    return Verdict("failed", outcome.code, message, "REVISION_FAILED")


def _routes(kept: Kept, configuration: Verdict) -> Verdict:
    if kept.programmed < kept.service.generation:
        return WAITING
    found = [_target(kept, target, configuration) for target in kept.service.traffic]
    for state in ("failed", "pending"):
        for verdict in found:
            if verdict.state == state:
                return verdict
    return GOOD


def _target(kept: Kept, target: run_v2.TrafficTarget, configuration: Verdict) -> Verdict:
    if target.type_ == LATEST:
        if configuration.state == "pending":
            return WAITING
        if kept.service.latest_ready_revision:
            return GOOD
        problem = f"Configuration '{kept.name.service}' does not have any ready Revision."
        return Verdict("failed", "FAILED_PRECONDITION", problem, "REVISION_FAILED")
    revision = kept.revisions.get(kept.full(target.revision))
    if revision is None:
        problem = (
            f"Revision '{target.revision}' does not exist or is deleted. Update all traffic to route to currently "
            "available revisions."
        )
        return Verdict("failed", "INTERNAL", problem, "UNKNOWN")
    if revision.reconciling:
        return WAITING
    if ready(revision):
        return GOOD
    problem = f"Revision '{target.revision}' is not ready and cannot serve traffic."
    outcome = kept.outcomes[revision.name]
    return Verdict("failed", outcome.code, f"{problem} {outcome.message}", "REVISION_FAILED")


def _whole(configuration: Verdict, routes: Verdict) -> Verdict:
    if "pending" in (configuration.state, routes.state):
        return WAITING
    return configuration if configuration.state == "failed" else routes


def program(kept: Kept, router: Router) -> None:
    """Route what is wanted, and write down what is routed."""
    service = kept.service
    weights, tags = dict[str, int](), dict[str, str]()
    for target in service.traffic:
        name = kept.full(target.revision) if target.type_ != LATEST else service.latest_ready_revision
        if target.percent:
            weights[name] = weights.get(name, 0) + target.percent
        if target.tag:
            tags[target.tag] = name
    addresses = router.route(
        str(kept.name),
        weights,
        tags,
        invoker_check=not (service.invoker_iam_disabled or may_invoke(kept.policy, None)),
        ingress=run_v2.IngressTraffic(service.ingress).name,
    )
    service.traffic_statuses = [
        run_v2.TrafficTargetStatus(
            type_=target.type_,
            revision=target.revision,
            percent=target.percent,
            tag=target.tag,
            uri=addresses[target.tag] if target.tag else "",
        )
        for target in service.traffic
    ]


def floors(kept: Kept) -> dict[str, int]:
    """The smallest number of instances of each revision that is ready.

    A revision's own minimum counts once it is in the traffic list, at 0 % too, or tagged; the service's is divided by
    traffic (run/docs/configuring/min-instances).
    """
    routed = kept.routed()
    found = dict[str, int]()
    for name, revision in kept.revisions.items():
        if not ready(revision):
            continue
        least = 0
        if name in routed:
            shared = -(-kept.service.scaling.min_instance_count * routed[name] // 100)
            least = max(revision.scaling.min_instance_count, shared)
        found[name] = least
    return found
