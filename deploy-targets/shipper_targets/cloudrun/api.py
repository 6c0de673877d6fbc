"""The calls of the Cloud Run API that a target makes, with their deadlines. Errors are ours; nothing is retried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shipper.targets import NotFound, PlatformError
from shipper_targets.cloudrun.clients import Clients
from shipper_targets.cloudrun.google_errors import error_of, translated
from shipper_targets.cloudrun.masks import mask_of
from shipper_targets.cloudrun.names import Names, short_name

if TYPE_CHECKING:
    from google.cloud import run_v2

READ = 10.0
"""Seconds for a read; the caller makes it again."""

WRITE = 30.0
"""Seconds until a write is accepted. Google's own default of 15 s is missed at times, and a write whose answer is lost
costs more than the wait."""

PAGE = 100


class Unfinished(PlatformError):
    """A rehearsal was accepted, and what the platform thinks of it is not known: neither a yes nor a no."""


class Api:
    """One service's. A write returns when the platform has accepted it: the service says what becomes of it."""

    def __init__(self, clients: Clients, names: Names) -> None:
        self._clients = clients
        self.names = names

    def service(self) -> run_v2.Service | None:
        """As it is now; None when there is none. Raises Denied, Transient."""
        try:
            with translated(f"read the service {self.names.service_id}"):
                return self._clients.services.get_service({"name": self.names.service}, retry=None, timeout=READ)
        except NotFound:
            return None

    def revisions(self) -> list[run_v2.Revision]:
        """All of the service's, oldest first."""
        request = {"parent": self.names.service, "page_size": PAGE}
        try:
            with translated(f"list the revisions of {self.names.service_id}"):
                found = list(self._clients.revisions.list_revisions(request, retry=None, timeout=READ))
        except NotFound:
            return []
        return sorted(found, key=lambda revision: (revision.create_time.timestamp(), revision.name))

    def revision(self, revision_id: str) -> run_v2.Revision | None:
        """One of them; None when it is not there."""
        try:
            with translated(f"read the revision {revision_id}"):
                return self._clients.revisions.get_revision(
                    {"name": self.names.revision(revision_id)}, retry=None, timeout=READ
                )
        except NotFound:
            return None

    def create(self, service: run_v2.Service, *, validate_only: bool = False) -> None:
        """A service that is not there yet. Raises Conflict when it is."""
        request: dict[str, Any] = {"parent": self.names.parent, "service_id": self.names.service_id}
        request |= {"service": service, "validate_only": validate_only}
        doing = f"{'check' if validate_only else 'create'} the service {self.names.service_id}"
        with translated(doing):
            begun = self._clients.services.create_service(request, retry=None, timeout=WRITE)
        if validate_only:
            _validated(doing, begun)

    def update(self, service: run_v2.Service, paths: Sequence[str], *, validate_only: bool = False) -> None:
        """These fields of it, if it still has the etag of `service`. Raises Conflict when it has another."""
        request = {"service": service, "update_mask": mask_of(paths), "validate_only": validate_only}
        doing = f"{'check' if validate_only else 'write'} the service {self.names.service_id}"
        with translated(doing):
            begun = self._clients.services.update_service(request, retry=None, timeout=WRITE)
        if validate_only:
            _validated(doing, begun)

    def delete(self, etag: str) -> None:
        """The service with all of its revisions. Raises NotFound, Conflict."""
        request = {"name": self.names.service, "etag": etag}
        with translated(f"delete the service {self.names.service_id}"):
            self._clients.services.delete_service(request, retry=None, timeout=WRITE)

    def delete_revision(self, revision: run_v2.Revision) -> None:
        """If it still has its etag. Raises NotFound, Conflict; Invalid when the platform still needs it."""
        request = {"name": revision.name, "etag": revision.etag}
        with translated(f"delete the revision {short_name(revision.name)}"):
            self._clients.revisions.delete_revision(request, retry=None, timeout=WRITE)

    def missing_permissions(self, wanted: Sequence[str]) -> list[str]:
        """Those of `wanted` that we do not have on the service itself. Raises NotFound when there is none."""
        request = {"resource": self.names.service, "permissions": list(wanted)}
        with translated("ask for our permissions"):
            answer = self._clients.services.test_iam_permissions(request, retry=None, timeout=READ)
        return [name for name in wanted if name not in answer.permissions]


def _validated(doing: str, begun: Any) -> None:
    """Raises what a rehearsal ended with, Unfinished when it has not.

    Of a real write that is never asked: the service says what became of it.
    """
    from google.rpc.code_pb2 import Code

    operation = begun.operation
    if not operation.done:
        raise Unfinished(f"{doing}: the platform has not answered yet")
    if operation.HasField("error"):
        raise error_of(doing, Code.Name(operation.error.code), operation.error.message)
