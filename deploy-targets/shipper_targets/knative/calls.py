"""The calls that a target makes about one Knative Service. Errors are ours; reads are retried, writes never."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipper.targets import NotFound
from shipper_targets.knative.kinds import OF_REVISION, OF_SERVICE, REVISION, SERVICE, SERVICE_UID
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import EVENT, POD
from shipper_targets.kubernetes.values import Object, by_age, name_of, text, uid_of
from shipper_targets.kubernetes.watching import POD_EVENTS, by_pod


class Calls:
    """One Service's, by its name."""

    def __init__(self, api: Api, name: str) -> None:
        self.api = api
        self.name = name

    def service(self) -> dict[str, Any] | None:
        """As it is now; None when there is none. Raises Denied, Transient."""
        return self.api.find(SERVICE, self.name)

    def revisions(self, service: Object) -> list[Object]:
        """All of this very Service's, oldest first: those of a deleted one of the same name are on their way out."""
        found = self.api.list(REVISION, labels=f"{OF_SERVICE}={self.name}").items
        return by_age(one for one in found if text(one, "metadata", "labels", SERVICE_UID) in ("", uid_of(service)))

    def revision(self, name: str) -> dict[str, Any] | None:
        """One of them; None when it is not there."""
        return self.api.find(REVISION, name)

    def pods(self, revision: str) -> list[Object]:
        """Of one revision, oldest first."""
        return by_age(self.api.list(POD, labels=f"{OF_REVISION}={revision}").items)

    def events(self) -> Mapping[str, list[Object]]:
        """Pod uid to its events. Raises Denied, Transient."""
        return by_pod(self.api.list(EVENT, fields=POD_EVENTS).items)

    def create(self, body: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """A Service that is not there yet. Raises Conflict when it is."""
        return self.api.create(SERVICE, body, dry_run=dry_run)

    def change(self, service: Object, patch: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """These members of it, if it still is as it was read. Raises Conflict when it has changed since."""
        version = text(service, "metadata", "resourceVersion")
        metadata = {**patch.get("metadata", {}), "resourceVersion": version, "uid": uid_of(service)}
        return self.api.merge(SERVICE, self.name, {**patch, "metadata": metadata}, dry_run=dry_run)

    def delete(self, service: Object) -> None:
        """The Service with all of its revisions, if it still is as it was read. Raises Conflict."""
        version = text(service, "metadata", "resourceVersion")
        self.api.delete(SERVICE, self.name, uid=uid_of(service), version=version)

    def delete_revision(self, revision: Object) -> None:
        """If it still is as it was read: what is routed to it since is written on it. Gone already is no error."""
        version = text(revision, "metadata", "resourceVersion")
        self.api.delete(REVISION, name_of(revision), uid=uid_of(revision), version=version)

    def needed(self) -> dict[str, Any]:
        """The Service; raises NotFound when there is none."""
        found = self.service()
        if found is None:
            raise NotFound(f"there is no Knative Service {self.name} in {self.api.namespace}")
        return found
