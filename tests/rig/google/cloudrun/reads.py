"""What can be read of Cloud Run's state. Everything given out is a copy."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from google.cloud import run_v2
from google.iam.v1.policy_pb2 import Policy
from google.longrunning.operations_pb2 import Operation

from tests.rig.google.cloudrun import names
from tests.rig.google.cloudrun.contract import Instances, LogLine
from tests.rig.google.cloudrun.kept import Kept
from tests.rig.google.cloudrun.operations import Operations
from tests.rig.google.cloudrun.policies import may_invoke


class Reads:
    """All services by full name, under one lock, and the reading methods of StateView."""

    def __init__(self, instances: Instances) -> None:
        self.lock = threading.RLock()
        self.operations = Operations(self.lock)
        self._services: dict[str, Kept] = {}
        self._instances = instances

    def get_service(self, name: str) -> run_v2.Service:
        with self.lock:
            return run_v2.Service(self._kept(name).service)

    def list_services(self, parent: str) -> list[run_v2.Service]:
        names.location(parent)
        with self.lock:
            return [run_v2.Service(kept.service) for kept in self._all() if kept.name.parent == parent]

    def get_revision(self, name: str) -> run_v2.Revision:
        service, _ = names.revision_name(name)
        with self.lock:
            kept = self._services.get(service)
            if kept is None or name not in kept.revisions:
                raise names.missing(name, "REVISION")
            return run_v2.Revision(kept.revisions[name])

    def list_revisions(self, parent: str) -> list[run_v2.Revision]:
        """Newest first, as ListRevisions' description says. `.../services/-` gives those of all services."""
        with self.lock:
            if parent.endswith("/services/-"):
                chosen = [kept for kept in self._all() if kept.name.parent == parent.removesuffix("/services/-")]
            else:
                chosen = [self._kept(parent)]
            found = [run_v2.Revision(revision) for kept in chosen for revision in kept.revisions.values()]
        return sorted(found, key=lambda revision: revision.create_time, reverse=True)

    def get_operation(self, name: str) -> Operation:
        return self.operations.get(name)

    def locations(self, project: str) -> list[str]:
        with self.lock:
            return sorted({kept.name.location for kept in self._all() if kept.name.project == project})

    def find_revision(self, project: str, revision_id: str) -> str | None:
        """The full name of a revision, wherever in the project it is."""
        with self.lock:
            found = [name for kept in self._all() if kept.name.project == project for name in kept.revisions]
        return next((name for name in found if names.short(name) == revision_id), None)

    def logs(self, revision: str, lines: int) -> Sequence[LogLine]:
        return self._instances.logs(revision, lines)

    def get_iam_policy(self, resource: str) -> Policy:
        with self.lock:
            copied = Policy()
            copied.CopyFrom(self._kept(resource).policy)
            return copied

    def may_invoke(self, service: str, principal: str | None) -> bool:
        with self.lock:
            kept = self._services.get(service)
            return kept is not None and may_invoke(kept.policy, principal)

    def _all(self) -> list[Kept]:
        return list(self._services.values())

    def _kept(self, name: str) -> Kept:
        names.service_name(name)
        if name not in self._services:
            raise names.missing(name, "SERVICE")
        return self._services[name]
