"""What each command may do to the API server, as one table: preflight asks about it, docs are made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from shipper.model import Settings
from shipper_targets.knative.kinds import REVISION, SERVICE
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes import kinds
from shipper_targets.kubernetes.permissions import ASK, Need, merged, need


@dataclass(frozen=True)
class Uses:
    """What of Kubernetes a service uses, as far as it changes what may have to be done."""

    once: bool = False
    secrets: bool = False
    inside: bool = False

    @classmethod
    def of(cls, settings: Settings, own: KnativeSettings) -> Uses:
        """By what is configured."""
        return cls(
            once=settings.rollout.before is not None,
            secrets=bool(settings.run.secrets),
            inside=own.inside_only or own.address is None,
        )


ALL = Uses(once=True, secrets=True, inside=True)


def needs(command: str, uses: Uses) -> tuple[Need, ...]:
    """Everything that one of COMMANDS does, each resource once."""
    return merged(one for activity in COMMANDS[command] for one in activity(uses))


def _read(uses: Uses) -> Iterator[Need]:
    yield need(SERVICE, ("get",))
    yield need(REVISION, ("get", "list"))


def _write(uses: Uses) -> Iterator[Need]:
    yield need(SERVICE, ("create", "patch", "delete"))
    yield need(REVISION, ("delete",))


def _rehearse(uses: Uses) -> Iterator[Need]:
    """Dry runs are writes to who asks whether they are allowed."""
    yield need(SERVICE, ("create", "patch"))


def _collect(uses: Uses) -> Iterator[Need]:
    yield need(SERVICE, ("patch",))
    yield need(REVISION, ("delete",))
    if uses.once:
        yield need(kinds.JOB, ("list", "get", "delete"), why="commands that a dead run has left at work")


def _take_away(uses: Uses) -> Iterator[Need]:
    yield need(SERVICE, ("delete",))


def _follow(uses: Uses) -> Iterator[Need]:
    yield need(kinds.POD, ("list",))
    yield need(kinds.EVENT, ("list",), why="the words of probes, volumes and image pulls")


def _ask(uses: Uses) -> Iterator[Need]:
    if uses.inside:
        yield need(kinds.POD, ("list",))
        yield need(kinds.POD, ASK, subresource="proxy")


def _ask_beside(uses: Uses) -> Iterator[Need]:
    """Its tag is not routed while what serves has failed: only a pod can be asked then."""
    if not uses.inside:
        why = "whether a new revision answers while what serves has failed"
        yield need(kinds.POD, ASK, subresource="proxy", why=why)


def _print(uses: Uses) -> Iterator[Need]:
    yield need(kinds.POD, ("get",), subresource="log")


def _secrets(uses: Uses) -> Iterator[Need]:
    if uses.secrets:
        yield need(kinds.SECRET, ("get",))


def _once(uses: Uses) -> Iterator[Need]:
    if uses.once:
        yield need(kinds.JOB, ("create", "patch", "delete", "list", "watch"))
        yield need(kinds.POD, ("get", "list", "watch"))


def _look(uses: Uses) -> Iterator[Need]:
    """Before a release: only what is said earlier then than the platform would say it."""
    yield need(kinds.SERVICE, ("get",), why="whether a Service of Kubernetes has the name already")
    yield need(kinds.NODE, ("list",), why="the nodes' architectures and devices")
    yield need(kinds.RESOURCE_QUOTA, ("list",), why="quota that is left")
    yield need(kinds.LIMIT_RANGE, ("list",), why="limits that are allowed")


COMMANDS: Mapping[str, tuple[Callable[[Uses], Iterator[Need]], ...]] = {
    "status": (_read, _ask),
    "verify": (_read, _ask),
    "history": (_read,),
    "logs": (_read, _follow, _print),
    "plan": (_read, _rehearse, _secrets, _look),
    "release": (_read, _write, _follow, _ask, _ask_beside, _print, _secrets, _once, _look),
    "rollback": (_read, _write, _follow, _ask, _print, _secrets),
    "gc": (_read, _collect),
    "remove": (_read, _take_away),
}
"""Command to what it does there."""
