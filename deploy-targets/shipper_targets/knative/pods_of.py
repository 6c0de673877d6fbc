"""The pods of a Knative revision, for what the kubernetes adapter does with pods: logs, questions, dossiers."""

from __future__ import annotations

from shipper.model import Revision
from shipper_targets.knative.calls import Calls
from shipper_targets.kubernetes.values import Object, mapping, number, objects

DEFAULT_PORT = 8080
"""Where a container listens that says no port: Knative tells it so in PORT."""


class RevisionPods:
    """By Knative's own label; a revision that is scaled to zero has none, and that is no error."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def pods(self, revision: Revision) -> list[Object]:
        """Oldest first."""
        return self._calls.pods(revision.name)


def port_of(revision: Object) -> int:
    """The port that its container listens on."""
    for container in objects(mapping(revision, "spec"), "containers"):
        for port in objects(container, "ports"):
            return number(port, "containerPort", default=DEFAULT_PORT)
    return DEFAULT_PORT
