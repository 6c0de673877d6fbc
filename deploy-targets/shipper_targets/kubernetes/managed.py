"""Objects that a GitOps tool owns: what shipper makes there would be taken back, and nobody would know why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from shipper.model.context import Reporter
from shipper.targets import Invalid
from shipper_targets.kubernetes.gitops import managed_by
from shipper_targets.kubernetes.values import Object, name_of


def refuse_managed(there: Iterable[Object]) -> None:
    """Before anything is made or deleted. Raises Invalid."""
    for what, tool in _managed(there):
        raise Invalid(
            f"{what} is managed by {tool}, which would put back what it has in its repository: "
            "change it there (shipper render writes the manifests), or take the object out of it"
        )


def remark_managed(there: Iterable[Object], report: Reporter | None) -> None:
    """Before traffic is moved: that is done all the same, it may be what gets a service through the night."""
    for what, tool in _managed(there):
        if report is not None:
            report.remark(f"{what} is managed by {tool}, which may take this back within minutes")


def keeps_managed(owner: Object, names: Collection[str], report: Reporter | None) -> bool:
    """Before parts of an object are deleted that may as well stay: whether they have to, which is told."""
    for what, tool in _managed([owner]):
        if report is not None:
            report.remark(f"{', '.join(sorted(names))} not deleted: {what} is managed by {tool}")
        return True
    return False


def _managed(there: Iterable[Object]) -> Iterator[tuple[str, str]]:
    for one in there:
        if tool := managed_by(one):
            yield f"{one.get('kind')} {name_of(one)}", tool
