"""v1's resources on the state: `namespaces/PROJECT/{services,revisions,configurations,routes}`.

v1 names a service by project and short name alone; the region is the host's (`us-central1-run.googleapis.com`). Asked
by a host without a region, the one place of the project that has the resource is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from google.cloud import run_v2
from google.longrunning.operations_pb2 import Operation

from tests.rig.google.cloudrun.contract import StateView
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.names import missing, short
from tests.rig.google.cloudrun.v1_annotations import Json
from tests.rig.google.cloudrun.v1_lists import page
from tests.rig.google.cloudrun.v1_translate import (
    configuration_of,
    revision_to_v1,
    route_of,
    service_from_v1,
    service_to_v1,
)

Found = TypeVar("Found")


class Namespace:
    """A project as v1 sees it; `location` is "" when the host names none."""

    def __init__(self, state: StateView, project: str, location: str, principal: str) -> None:
        self._state = state
        self._project = project
        self._location = location
        self._principal = principal

    def services(self, query: Mapping[str, str]) -> Json:
        """All services."""
        return page("Service", [service_to_v1(service) for service in self._services()], query)

    def configurations(self, query: Mapping[str, str]) -> Json:
        """All configurations: one for each service."""
        return page("Configuration", [configuration_of(service_to_v1(one)) for one in self._services()], query)

    def routes(self, query: Mapping[str, str]) -> Json:
        """All routes: one for each service."""
        return page("Route", [route_of(service_to_v1(one)) for one in self._services()], query)

    def revisions(self, query: Mapping[str, str]) -> Json:
        """All revisions, newest first."""
        services = {short(one.name): one.uid for one in self._services()}
        found = [one for parent in self._parents() for one in self._state.list_revisions(f"{parent}/services/-")]
        return page("Revision", [revision_to_v1(one, services.get(one.service, "")) for one in found], query)

    def service(self, name: str) -> Json:
        """One service; ApiError when there is none."""
        return service_to_v1(self._find(name))

    def configuration(self, name: str) -> Json:
        """The configuration of a service."""
        return configuration_of(self.service(name))

    def route(self, name: str) -> Json:
        """The route of a service."""
        return route_of(self.service(name))

    def revision(self, name: str) -> Json:
        """One revision."""
        revision = self._find_revision(name)
        return revision_to_v1(revision, self._find(revision.service).uid)

    def create(self, body: Json, dry_run: bool) -> Json:
        """POST of a service."""
        name = str((body.get("metadata") or {}).get("name", ""))
        parent = self._parent()
        wanted = service_from_v1(body, f"{parent}/services/{name}")
        done = self._state.create_service(parent, name, wanted, validate_only=dry_run, principal=self._principal)
        return _written(done, dry_run)

    def replace(self, name: str, body: Json, dry_run: bool) -> Json:
        """PUT of a service: everything that is not sent is gone."""
        if (body.get("metadata") or {}).get("name", name) != name:
            raise ApiError("INVALID_ARGUMENT", "metadata.name: must be the name in the path")
        wanted = service_from_v1(body, self._find(name).name)
        done = self._state.update_service(wanted, validate_only=dry_run, principal=self._principal)
        return _written(done, dry_run)

    def delete_service(self, name: str, dry_run: bool) -> Json:
        """DELETE: answers at once, the service is there until the operation has ended."""
        service = self._find(name)
        self._state.delete_service(service.name, validate_only=dry_run)
        return _deleted("services", name, service.uid)

    def delete_revision(self, name: str, dry_run: bool) -> Json:
        """DELETE of a revision that nothing is routed to."""
        revision = self._find_revision(name)
        self._state.delete_revision(revision.name, validate_only=dry_run)
        return _deleted("revisions", name, revision.uid)

    def _services(self) -> list[run_v2.Service]:
        return [service for parent in self._parents() for service in self._state.list_services(parent)]

    def _parents(self) -> list[str]:
        places = [self._location] if self._location else self._state.locations(self._project)
        return [f"projects/{self._project}/locations/{place}" for place in places]

    def _parent(self) -> str:
        parents = self._parents()
        if len(parents) != 1:
            raise ApiError("INVALID_ARGUMENT", "Use a regional endpoint such as us-central1-run.googleapis.com.")
        return parents[0]

    def _find(self, name: str) -> run_v2.Service:
        return self._first(lambda parent: [self._state.get_service(f"{parent}/services/{name}")], name, "SERVICE")

    def _find_revision(self, name: str) -> run_v2.Revision:
        def look(parent: str) -> list[run_v2.Revision]:
            return [one for one in self._state.list_revisions(f"{parent}/services/-") if short(one.name) == name]

        return self._first(look, name, "REVISION")

    def _first(self, look: Callable[[str], list[Found]], name: str, kind: str) -> Found:
        """What the first place has that has it."""
        for parent in self._parents():
            try:
                found = look(parent)
            except ApiError as error:
                if error.code != "NOT_FOUND":
                    raise
                continue
            if found:
                return found[0]
        where = self._location or "-"
        raise missing(f"projects/{self._project}/locations/{where}/services/{name}", kind)


def _written(operation: Operation, dry_run: bool) -> Json:
    """The service as the write left it: what the operation shows of it."""
    service = run_v2.Service()
    (operation.response if dry_run else operation.metadata).Unpack(run_v2.Service.pb(service))
    return service_to_v1(service, operation.name)


def _deleted(kind: str, name: str, uid: str) -> Json:
    details = {"name": name, "group": "serving.knative.dev", "kind": kind, "uid": uid}
    return {"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "details": details}
