"""What each command may do to the API server, as one table: preflight asks about it, the reference page is made of it.

A Role cannot tell Secrets apart by label: who may release may list the namespace's Secrets, because the records of
releases are Secrets. Give a service that must not a namespace of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shipper.model import Settings
from shipper_targets.kubernetes import kinds
from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.names import shape_of
from shipper_targets.kubernetes.scaling import is_autoscaled, least_pods
from shipper_targets.kubernetes.settings import KubernetesSettings

APPLY = ("create", "patch")
"""Server-side apply of what may not be there yet; a dry run needs the same."""

ASK = ("get", "create")
"""pods/proxy for GET and POST; a golden request with another method needs its verb: update, patch, delete."""


@dataclass(frozen=True, order=True)
class Need:
    """One resource and what is done to it. `wide`: in the whole cluster. `why`, when a release goes on without it."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    wide: bool = False
    why: str = ""

    def rule(self, verbs: Sequence[str] | None = None) -> dict[str, list[str]]:
        """As a line of a Role."""
        return {
            "apiGroups": [self.group],
            "resources": [self.resource],
            "verbs": list(self.verbs if verbs is None else verbs),
        }

    def line(self) -> str:
        """The same as people write it into a manifest."""
        return f'{{apiGroups: ["{self.group}"], resources: ["{self.resource}"], verbs: [{", ".join(self.verbs)}]}}'


def need(kind: Kind, verbs: Sequence[str], *, subresource: str = "", wide: bool = False, why: str = "") -> Need:
    """For a kind, or one of its subresources."""
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    return Need(kind.group, resource, tuple(verbs), wide or not kind.namespaced, why)


@dataclass(frozen=True)
class Uses:
    """What of Kubernetes a service uses, as far as it changes what may have to be done."""

    gateway: bool = False
    ingress: bool = False
    ingress_class: bool = False
    weighted: bool = False
    once: bool = False
    volumes: bool = False
    gpus: bool = False
    account: bool = False
    variables: bool = False
    autoscaled: bool = False
    disruptions: bool = False
    others: tuple[Kind, ...] = ()

    @classmethod
    def of(cls, settings: Settings, own: KubernetesSettings, others: Iterable[Kind] | None = None) -> Uses:
        """`others`: kinds of manifests that are there already, own ones or recorded ones, beside which nothing is
        generated.
        """
        generated = others is None and not own.has_own_manifests
        return cls(
            gateway=own.gateway is not None,
            ingress=generated and own.ingress is not None,
            ingress_class=generated and own.ingress is not None and own.ingress.class_name is not None,
            weighted=shape_of(settings.rollout.strategy) == "weighted",
            once=settings.rollout.before is not None,
            volumes=any(volume.source.startswith("pvc:") for volume in settings.run.volumes),
            gpus=settings.run.gpu > 0,
            account=generated and own.service_account is None,
            variables=generated and bool(settings.run.env),
            autoscaled=generated and is_autoscaled(settings.scale),
            disruptions=generated and own.pdb and least_pods(settings.scale) > 1,
            others=tuple(sorted({*(others or ())}, key=str)),
        )


ALL = Uses(
    gateway=True, ingress=True, ingress_class=True, weighted=True, once=True, volumes=True, gpus=True, account=True,
    variables=True, autoscaled=True, disruptions=True,
)  # fmt: skip

_LISTED = (
    kinds.DEPLOYMENT, kinds.SERVICE, kinds.CONFIG_MAP, kinds.SERVICE_ACCOUNT, kinds.HPA, kinds.PDB, kinds.INGRESS,
)  # fmt: skip
"""What `remove` looks for by label: all of these, and does without those that it may not look at and never made."""

_CARRIERS = (kinds.DEPLOYMENT, kinds.SERVICE)
"""What may carry the stamp, besides the HTTPRoute: each write begins with it."""


def needs(command: str, uses: Uses) -> tuple[Need, ...]:
    """Everything that one of COMMANDS does, merged: each resource once."""
    return merged(one for activity in COMMANDS[command] for one in activity(uses))


def merged(many: Iterable[Need]) -> tuple[Need, ...]:
    """Each resource once, with all of its verbs, in the order of a Role that people read."""
    found: dict[tuple[str, str, bool, bool], Need] = {}
    for one in many:
        key = (one.group, one.resource, one.wide, bool(one.why))
        known = found.get(key)
        verbs = tuple(verb for verb in _ORDER if verb in {*one.verbs, *(known.verbs if known else ())})
        found[key] = Need(one.group, one.resource, verbs, one.wide, one.why or (known.why if known else ""))
    return tuple(sorted(found.values()))


def required(many: Iterable[Need]) -> tuple[Need, ...]:
    """Those without which the command fails."""
    return tuple(one for one in many if not one.why)


def rules(many: Iterable[Need], *, wide: bool = False) -> list[dict[str, list[str]]]:
    """The rules of a Role, or (`wide`) of a ClusterRole."""
    return [one.rule() for one in many if one.wide is wide]


def role(name: str, namespace: str, many: Sequence[Need]) -> dict[str, Any]:
    """A Role that may do exactly this."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": rules(many),
    }


def _applied(uses: Uses) -> tuple[Kind, ...]:
    used = {
        kinds.DEPLOYMENT: True,
        kinds.SERVICE: True,
        kinds.CONFIG_MAP: uses.variables,
        kinds.SERVICE_ACCOUNT: uses.account,
        kinds.HPA: uses.autoscaled,
        kinds.PDB: uses.disruptions,
        kinds.INGRESS: uses.ingress,
        kinds.HTTP_ROUTE: uses.gateway,
        **dict.fromkeys(uses.others, True),
    }
    return tuple(kind for kind, is_used in used.items() if is_used)


def _read(uses: Uses) -> Iterator[Need]:
    """What serves, the records, what was changed by hand."""
    for kind in (*_applied(uses), kinds.SECRET):
        yield need(kind, ("get",))
    for kind in (kinds.DEPLOYMENT, kinds.REPLICA_SET, kinds.SERVICE, kinds.SECRET):
        yield need(kind, ("list",))
    yield need(kinds.HPA, ("list",), why="" if uses.autoscaled else "whether an autoscaler of somebody else decides")


def _rehearse(uses: Uses) -> Iterator[Need]:
    for kind in _applied(uses):
        yield need(kind, APPLY)


def _write(uses: Uses) -> Iterator[Need]:
    yield from _rehearse(uses)
    yield need(kinds.SECRET, ("create",))


def _prune(uses: Uses) -> Iterator[Need]:
    """What is not rendered any more, what never served, records that nothing needs."""
    for kind in (*_applied(uses), kinds.SECRET):
        yield need(kind, ("get", "delete"))
    for kind in (*_CARRIERS, *([kinds.HTTP_ROUTE] if uses.gateway else [])):
        yield need(kind, ("patch",))


def _end_left(uses: Uses) -> Iterator[Need]:
    if uses.once:
        yield need(kinds.JOB, ("list", "get", "delete"), why="commands that a dead run has left at work")


def _remove(uses: Uses) -> Iterator[Need]:
    """Everything with our labels."""
    yield from _prune(uses)
    made = [kind for kind in _applied(uses) if kind in _LISTED]
    for kind in (*made, kinds.SECRET, *([kinds.JOB] if uses.once else [])):
        yield need(kind, ("list", "delete"))
    yield need(kinds.POD, ("list",))


def _follow(uses: Uses) -> Iterator[Need]:
    for kind in (kinds.DEPLOYMENT, kinds.REPLICA_SET, kinds.POD):
        yield need(kind, ("list", "watch"))
    yield need(kinds.EVENT, ("list", "watch"), why="the words of probes, volumes and image pulls")


def _ask(uses: Uses) -> Iterator[Need]:
    yield need(kinds.POD, ("get", "list"))
    yield need(kinds.POD, ASK, subresource="proxy")
    yield need(kinds.ENDPOINT_SLICE, ("list",))


def _print(uses: Uses) -> Iterator[Need]:
    yield need(kinds.POD, ("list",))
    yield need(kinds.POD, ("get",), subresource="log")


def _once(uses: Uses) -> Iterator[Need]:
    if uses.once:
        yield need(kinds.JOB, ("list", "watch", *APPLY, "delete"))
        yield need(kinds.POD, ("list", "watch"))


def _look(uses: Uses) -> Iterator[Need]:
    """Before a release: only what is said earlier then than the platform would say it."""
    # A Role in the namespace can give the right to read the namespace itself.
    yield Need("", "namespaces", ("get",), why="whether the namespace is there, and its Pod Security level")
    yield need(kinds.RESOURCE_QUOTA, ("list",), why="quota that is left")
    yield need(kinds.LIMIT_RANGE, ("list",), why="limits that are allowed")
    yield need(kinds.POD, ("create",), why="admission's opinion of a pod, by a dry run")
    yield need(kinds.NODE, ("list",), why="the nodes' architectures and devices")
    if uses.volumes:
        yield need(kinds.CLAIM, ("get",), why="whether the volumes are there")
        yield need(kinds.STORAGE_CLASS, ("list",), why="whether a claim gets its volume")
    if uses.gpus:
        yield need(kinds.POD, ("list",), wide=True, why="devices that are free")
    if uses.gateway:
        yield need(kinds.GATEWAY, ("get",), wide=True, why="whether the Gateway is there")
    if uses.ingress_class:
        yield need(kinds.INGRESS_CLASS, ("list",), wide=True, why="whether the Ingress's class is there")


Activity = Callable[[Uses], Iterator[Need]]
COMMANDS: Mapping[str, tuple[Activity, ...]] = {
    "status": (_read, _ask),
    "verify": (_read, _ask),
    "history": (_read,),
    "logs": (_read, _print),
    "plan": (_read, _rehearse, _look),
    "release": (_read, _write, _remove, _follow, _ask, _print, _once, _look),
    "rollback": (_read, _write, _prune, _follow, _ask, _print),
    "gc": (_read, _prune, _end_left),
    "remove": (_read, _remove),
}
"""Command to what it does there. `render` needs `status` where it renders what serves, else nothing."""

_ORDER = ("get", "list", "watch", "create", "update", "patch", "delete")
