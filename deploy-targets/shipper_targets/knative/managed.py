"""A Service that a GitOps tool owns: what shipper makes there would be taken back, and nobody would know why."""

from __future__ import annotations

from shipper.model.context import Reporter
from shipper.targets import Invalid
from shipper_targets.kubernetes.gitops import managed_by
from shipper_targets.kubernetes.values import Object, name_of


def refuse_managed(service: Object | None) -> None:
    """Before anything is made or deleted. Raises Invalid."""
    if service is not None and (tool := managed_by(service)):
        raise Invalid(
            f"Knative Service {name_of(service)} is managed by {tool}, which would put back what it has in its "
            "repository: change it there (shipper render writes the manifest), or take the object out of it"
        )


def remark_managed(service: Object, report: Reporter | None) -> None:
    """Before traffic is moved: that is done all the same, it may be what gets a service through the night."""
    if report is not None and (tool := managed_by(service)):
        report.remark(f"{name_of(service)} is managed by {tool}, which may move the traffic back within minutes")
