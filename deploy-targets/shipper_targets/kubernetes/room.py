"""Whether a release will find room, as far as it can be seen now: nodes, devices, quota, evictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cached_property

from shipper.model import Problem, Settings
from shipper.targets import Denied, NotFound
from shipper_targets.kubernetes.amounts import show_amount, wanted_by
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.capacity import (
    fitting,
    image_platform_problem,
    largest,
    needed_room,
    platforms_of,
    slots,
    surge,
)
from shipper_targets.kubernetes.kinds import DEPLOYMENT, LIMIT_RANGE, NODE, PDB, POD, RESOURCE_QUOTA, Kind
from shipper_targets.kubernetes.labels import BASE
from shipper_targets.kubernetes.manifest import Rendered
from shipper_targets.kubernetes.manifests import coming_count
from shipper_targets.kubernetes.parallel import at_once
from shipper_targets.kubernetes.quota import limit_problems, quota_problems
from shipper_targets.kubernetes.rollouts import wanted_pods
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import Object, at, mapping, name_of, number, text
from shipper_targets.kubernetes.verdicts import UNSCHEDULABLE

EVERYWHERE = replace(POD, namespaced=False)
"""Pods of all namespaces: devices on a node are shared by all of them."""

_ALIVE = "status.phase!=Succeeded,status.phase!=Failed"
_ADDED = "an autoscaler is to add one"
_LESS = "ask for less, or have it raised: kubectl describe quota,limits"
_KEYS = {"memory": "run.memory", "cpu": "run.cpu"}


class Room:
    """What may not be looked at is told as a remark: `remark`."""

    def __init__(self, api: Api, own: KubernetesSettings, remark: Callable[[str], None]) -> None:
        self._api = api
        self._own = own
        self._remark = remark

    def problems(self, settings: Settings, whole: Rendered, *, beside: bool) -> Iterator[Problem]:
        """`beside`: a Deployment for each release. Raises Transient."""
        self._look()
        spec = mapping(whole.main.body, "spec", "template", "spec")
        pods = self._pods_that_come(settings, whole, beside=beside)
        yield from self._on_nodes(settings, spec, pods)
        for key, message in self._in_quota(spec, pods):
            yield Problem(code=2, key=key, message=message, hint=_LESS)
        self._remark_on_evictions(whole)

    def _look(self) -> None:
        """Everything that does not depend on each other, at once."""
        at_once([lambda: self._nodes, lambda: self._quotas, lambda: self._ranges, lambda: self._budgets])

    def platforms(self) -> tuple[str, ...]:
        """Of the nodes; empty when they may not be looked at. Raises Transient."""
        return platforms_of(self._nodes or ())

    @cached_property
    def _nodes(self) -> list[Object] | None:
        return self._seen(NODE)

    @cached_property
    def _quotas(self) -> list[Object] | None:
        return self._seen(RESOURCE_QUOTA)

    @cached_property
    def _ranges(self) -> list[Object] | None:
        return self._seen(LIMIT_RANGE)

    @cached_property
    def _budgets(self) -> list[Object] | None:
        return self._seen(PDB)

    def _pods_that_come(self, settings: Settings, whole: Rendered, *, beside: bool) -> int:
        """How many pods have to find room at once."""
        found = self._api.find(DEPLOYMENT, whole.workload.name) if not beside else None
        there = wanted_pods(found) if found is not None else 0
        wanted = coming_count(whole, self._serving(whole) if beside else there)
        limits = mapping(whole.main.body, "spec", "strategy", "rollingUpdate")
        return needed_room(
            wanted=wanted,
            there=there,
            recreate=text(whole.main.body, "spec", "strategy", "type") == "Recreate",
            beside=beside,
            max_surge=surge(wanted, limits.get("maxSurge", "25%"), up=True),
            max_unavailable=surge(wanted, limits.get("maxUnavailable", "25%"), up=False),
        )

    def _serving(self, whole: Rendered) -> int:
        """How many pods a revision beside the others starts with at least: where an autoscaler decides, as many as it
        has made for the one that serves.
        """
        if not whole.of_kind("HorizontalPodAutoscaler"):
            return 0
        ours = self._api.list(DEPLOYMENT, labels=f"{BASE}={whole.main.labels.get(BASE, '')}").items
        return max((wanted_pods(one) for one in ours), default=0)

    def _on_nodes(self, settings: Settings, spec: Object, pods: int) -> Iterator[Problem]:
        nodes = self._nodes
        if nodes is None:
            return
        if not self._own.has_own_manifests:
            found = image_platform_problem(platforms_of(nodes), settings.image.platform)
            if found is not None and not (self._grows and settings.image.platform):
                yield Problem(code=2, key="image.platform", message=found[0], hint=found[1])
                return
            if found is not None:
                self._remark(f"{found[0]}; {_ADDED}")
                return
        usable = fitting(nodes, spec)
        if not usable:
            yield from self._none_fits(spec, len(nodes))
            return
        for resource, value in wanted_by(spec).items():
            most = largest(usable, resource)
            if value > most:
                yield from self._too_big(resource, value, most)
                return
        if settings.run.gpu or self._own.gpu_resource in wanted_by(spec):
            yield from self._devices(usable, spec, pods)

    def _none_fits(self, spec: Object, count: int) -> Iterator[Problem]:
        wanted = ", ".join(f"{key}={value}" for key, value in sorted(mapping(spec, "nodeSelector").items()))
        message = (
            f"none of {count} nodes takes this pod: not ready, cordoned, tainted, or without {wanted or 'a match'}"
        )
        if self._grows:
            self._remark(f"{message}; {_ADDED}")
            return
        hint = "change node_selector or tolerations: kubectl describe nodes has their labels and taints; or add a node"
        yield Problem(code=2, key="targets.node_selector", message=message, hint=hint)

    def _too_big(self, resource: str, value: Fraction, most: Fraction) -> Iterator[Problem]:
        shown, highest = show_amount(resource, value), show_amount(resource, most)
        message = f"a pod wants {shown} {resource}, and no node has more than {highest}"
        if self._grows:
            self._remark(f"{message}; {_ADDED}")
            return
        key = "run.gpu" if resource == self._own.gpu_resource else _KEYS.get(resource, "run")
        hint = "ask for less, add a larger node, or raise unschedulable_window where an autoscaler adds it"
        yield Problem(code=2, key=key, message=message, hint=hint)

    def _devices(self, nodes: list[Object], spec: Object, pods: int) -> Iterator[Problem]:
        others = self._seen(EVERYWHERE, fields=_ALIVE)
        resource = self._own.gpu_resource
        each = wanted_by(spec).get(resource, Fraction(0))
        if others is None or each == 0 or pods == 0:
            return
        free = slots(nodes, others, {resource: each})
        if free >= pods:
            return
        shown = show_amount(resource, each * pods)
        message = f"a rollout needs {shown} free {resource} ({pods} pods), and there is room for {free}"
        if self._grows:
            self._remark(f"{message}; an autoscaler is to add nodes")
            return
        yield Problem(
            code=2,
            key="run.gpu",
            message=message,
            hint='free some, or stop old pods first: strategy = "recreate", or max_surge = 0 with max_unavailable = 1',
        )

    @property
    def _grows(self) -> bool:
        """Whether the scheduler's "no room" is to be borne: then nodes come when they are needed."""
        return self._own.unschedulable_window > UNSCHEDULABLE

    def _in_quota(self, spec: Object, pods: int) -> Iterator[tuple[str, str]]:
        yield from quota_problems(self._quotas or (), spec, pods)
        yield from limit_problems(self._ranges or (), spec)

    def _remark_on_evictions(self, whole: Rendered) -> None:
        labels = mapping(whole.main.body, "spec", "template", "metadata", "labels")
        for one in self._budgets or ():
            wanted = mapping(one, "spec", "selector", "matchLabels")
            matches = bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())
            healthy = number(one, "status", "currentHealthy") >= number(one, "status", "expectedPods") > 0
            if matches and healthy and at(one, "status", "disruptionsAllowed") == 0:
                self._remark(
                    f"PodDisruptionBudget {name_of(one)} allows no eviction: a node with its pod cannot be drained"
                )

    def _seen(self, kind: Kind, *, fields: str = "") -> list[Object] | None:
        """None for who may not look: that is told with the permissions that are missing."""
        try:
            return list(self._api.list(kind, fields=fields).items)
        except (Denied, NotFound):
            return None
