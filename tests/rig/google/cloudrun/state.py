"""The state of Cloud Run: services, revisions and operations of all projects, under one lock.

Reads give copies. Writes check, take over the desired state, and return the operation; a thread of its own then starts
the new revision (Instances) and lets the service settle (settling.py). Permissions, faults and the words of transports
are elsewhere (api.py, hands.py): this is only what the service itself would do.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from google.cloud import run_v2
from google.iam.v1.policy_pb2 import Policy
from google.longrunning.operations_pb2 import Operation

from tests.rig.google.cloudrun import names, revisions
from tests.rig.google.cloudrun.carrying import Carrying
from tests.rig.google.cloudrun.defaults import fill_service
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.kept import Kept, carry_output, same_template
from tests.rig.google.cloudrun.limits import check_service
from tests.rig.google.cloudrun.limits_service import check_service_id
from tests.rig.google.cloudrun.masks import merged
from tests.rig.google.cloudrun.policies import replaced
from tests.rig.google.cloudrun.settling import program

MOST_SERVICES = 1000  # run/quotas: services per project and region
MOST_REVISIONS = 1000  # run/quotas: per service; beyond it, the oldest that do not serve are deleted


class State(Carrying):
    """The writing methods of StateView, and what tests do by hand."""

    # Writes --------------------------------------------------------------------------------------------------------

    def create_service(
        self, parent: str, service_id: str, service: run_v2.Service, *, validate_only: bool = False, principal: str = ""
    ) -> Operation:
        project, place = names.location(parent)
        check_service_id(service_id)
        name = names.ServiceName(project, place, service_id)
        with self.lock:
            if str(name) in self._services:
                raise ApiError("ALREADY_EXISTS", f"Resource '{service_id}' already exists.")
            if sum(1 for kept in self._all() if kept.name.parent == parent) >= MOST_SERVICES:
                raise ApiError("RESOURCE_EXHAUSTED", f"Quota exceeded for services in '{place}': {MOST_SERVICES}.")
            kept = Kept(run_v2.Service(name=str(name), creator=principal), name)
            return self._write(kept, run_v2.Service(service), validate_only, principal)

    def update_service(
        self,
        service: run_v2.Service,
        mask: Sequence[str] = (),
        *,
        validate_only: bool = False,
        allow_missing: bool = False,
        principal: str = "",
    ) -> Operation:
        name = names.service_name(service.name)
        with self.lock:
            if allow_missing and service.name not in self._services:
                return self.create_service(
                    name.parent, name.service, service, validate_only=validate_only, principal=principal
                )
            kept = self._kept(service.name)
            if kept.deleting is not None:
                raise ApiError("FAILED_PRECONDITION", f"Resource '{name.service}' is being deleted.")
            _check_etag(names.short(service.name), service.etag, kept.service.etag)
            return self._write(kept, merged(kept.service, service, mask), validate_only, principal)

    def delete_service(self, name: str, *, etag: str = "", validate_only: bool = False) -> Operation:
        with self.lock:
            kept = self._kept(name)
            _check_etag(names.short(name), etag, kept.service.etag)
            if kept.deleting is not None:
                return self.operations.get(kept.deleting.name)
            operation = self.operations.start(kept.name.parent, run_v2.Service.pb(kept.service))
            if validate_only:
                self.operations.succeed(operation, run_v2.Service.pb(kept.service))
                return operation
            kept.deleting = operation
            kept.touch()
            kept.service.delete_time = kept.service.update_time
            self._thread(self._carry_out_delete, kept, operation)
            return self.operations.get(operation.name)

    def delete_revision(self, name: str, *, etag: str = "", validate_only: bool = False) -> Operation:
        """Refused for a revision that can receive traffic, the only one, and the latest one.

        That is the rule of run/docs/managing/revisions, "Delete revisions". A tag makes a revision reachable, so it
        counts as "can receive traffic"; code and words of the refusals are not verified.
        """
        service, revision_id = names.revision_name(name)
        with self.lock:
            revision = run_v2.Revision(self.get_revision(name))
            kept = self._kept(service)
            _check_etag(revision_id, etag, revision.etag)
            _check_removable(kept, name)
            operation = self.operations.start(kept.name.parent, run_v2.Revision.pb(revision))
            if not validate_only:
                self._drop(kept, name)
                revision.delete_time = revision.update_time
                self._thread(self._carry_out_revision_delete, operation, revision)
                return self.operations.get(operation.name)
            self.operations.succeed(operation, run_v2.Revision.pb(revision))
            return operation

    def set_iam_policy(self, resource: str, policy: Policy) -> Policy:
        with self.lock:
            kept = self._kept(resource)
            kept.policy = replaced(kept.policy, policy)
            if kept.service.traffic_statuses:
                self._reroute(kept)
            return self.get_iam_policy(resource)

    # By hand -------------------------------------------------------------------------------------------------------

    def touch(self, name: str) -> None:
        """Another writer was there, and changed nothing that counts: a new etag."""
        with self.lock:
            self._kept(name).touch()

    def wipe(self, project: str) -> None:
        """Forget everything of a project, and end what runs of it."""
        with self.lock:
            gone = [kept for kept in self._all() if kept.name.project == project]
            for kept in gone:
                del self._services[str(kept.name)]
                self._router.close(str(kept.name))
            self.operations.forget_all(project)
        for name in [name for kept in gone for name in kept.revisions]:
            self._instances.stop(name)

    # Inside --------------------------------------------------------------------------------------------------------

    def _write(self, kept: Kept, wanted: run_v2.Service, validate_only: bool, principal: str) -> Operation:
        """Check a desired state and take it over. Under the lock; `kept` may be new, and is then not yet listed."""
        before = kept.service
        fill_service(wanted, kept.name.project)
        check_service(wanted, kept.name.service)
        self._check_quota(kept, wanted)
        fresh = not before.generation or not same_template(before.template, wanted.template)
        chosen = wanted.template.revision
        if fresh and chosen in kept.used:
            problem = f"Revision named '{chosen}' with different configuration already exists."
            raise ApiError("ALREADY_EXISTS", problem)
        if validate_only:
            carry_output(before, wanted)
            wanted.generation = before.generation + 1
            operation = self.operations.start(kept.name.parent, run_v2.Service.pb(wanted))
            self.operations.succeed(operation, run_v2.Service.pb(wanted))
            return operation
        self._supersede(kept)
        kept.begin(wanted, principal)
        if not before.generation:
            self._add(kept, principal)
        revision = self._new_revision(kept, chosen, principal) if fresh else None
        operation = self.operations.start(kept.name.parent, run_v2.Service.pb(kept.service))
        kept.running[wanted.generation] = operation
        self._thread(self._carry_out, kept, wanted.generation, revision)
        return self.operations.get(operation.name)

    def _add(self, kept: Kept, principal: str) -> None:
        service = kept.service
        service.uid = str(uuid.uuid4())
        service.create_time = service.update_time
        service.creator = principal
        service.uri = self._router.open(str(kept.name))
        service.urls = [service.uri]
        self._services[str(kept.name)] = kept

    def _new_revision(self, kept: Kept, chosen: str, principal: str) -> run_v2.Revision:
        kept.made += 1
        revision_id = chosen or revisions.made_name(kept.name.service, kept.made)
        revision = revisions.from_template(kept.name, revision_id, kept.service.template, principal)
        kept.revisions[revision.name] = revision
        kept.used.add(revision_id)
        kept.service.latest_created_revision = revision.name
        routed = kept.routed()
        removable = [name for name in kept.revisions if name not in routed and name != revision.name]
        while len(kept.revisions) > MOST_REVISIONS and removable:
            self._drop(kept, removable.pop(0))
        return revision

    def _check_quota(self, kept: Kept, wanted: run_v2.Service) -> None:
        quota = self._obstacles.gpu_quota(kept.name.project)
        template = wanted.template
        if quota is None or not template.node_selector.accelerator or template.scaling.max_instance_count <= quota:
            return
        kind = "without" if template.gpu_zonal_redundancy_disabled else "with"
        words = f"You do not have quota for using GPUs {kind} zonal redundancy. Learn more about GPU zonal redundancy: "
        raise ApiError("RESOURCE_EXHAUSTED", f"{words}https://cloud.google.com/run/docs/configuring/services/gpu")

    def _drop(self, kept: Kept, revision: str) -> None:
        del kept.revisions[revision]
        kept.outcomes.pop(revision, None)
        self._thread(self._instances.stop, revision)

    def _reroute(self, kept: Kept) -> None:
        """The same routes again, under a changed policy. What is wanted but not yet routed stays so."""
        wanted = kept.service.traffic
        kept.service.traffic = [
            run_v2.TrafficTarget(type_=now.type_, revision=now.revision, percent=now.percent, tag=now.tag)
            for now in kept.service.traffic_statuses
        ]
        program(kept, self._router)
        kept.service.traffic = wanted


def _check_etag(name: str, sent: str, current: str) -> None:
    """Code as facts 1.4 models it; the exact text of the real service is not verified."""
    if sent and sent != current:
        words = f"Conflict for resource '{name}': version '{sent}' was specified but current version is '{current}'."
        raise ApiError("ABORTED", words)


def _check_removable(kept: Kept, name: str) -> None:
    short = names.short(name)
    wanted = {kept.full(target.revision) for target in kept.service.traffic if target.revision}
    if name in kept.routed() or name in wanted:
        raise ApiError("FAILED_PRECONDITION", f"Revision '{short}' can receive traffic and cannot be deleted.")
    if name == kept.service.latest_created_revision:
        problem = f"Revision '{short}' is the latest revision of its service and cannot be deleted."
        raise ApiError("FAILED_PRECONDITION", problem)
