"""The calls about one Knative Service, answered from memory: merge patches, generations, and a route reconciler.

Based on serving v0.48 (pkg/reconciler/route): `status.traffic` is written before the ingress is asked, nothing is
routed anew while a target is not ready, and a spec that did not change has no new generation. Webhooks, revisions that
start and the garbage collection are not here; tests/integration/knative has the real ones.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from shipper.targets import Conflict
from shipper_targets.knative.conditions import state_of
from shipper_targets.kubernetes.values import name_of, text
from tests.unit.knative.knative_objects import serving

Json = dict[str, Any]


class FakeCalls:
    """Of `shop` in `shops`. `ingress` says whether it takes what it is given."""

    name = "shop"

    def __init__(self, service: Json | None, *revisions: Json) -> None:
        self.now = service
        self.there = {name_of(one): one for one in revisions}
        self.patches: list[Json] = []
        self.deleted: list[tuple[str, str]] = []
        self.ingress = True
        self.api = SimpleNamespace(namespace="shops")

    def service(self) -> Json | None:
        return copy.deepcopy(self.now)

    def needed(self) -> Json:
        found = self.service()
        assert found is not None
        return found

    def revision(self, name: str) -> Json | None:
        return copy.deepcopy(self.there.get(name))

    def revisions(self, service: Mapping[str, Any]) -> list[Json]:
        return [copy.deepcopy(one) for one in self.there.values()]

    def pods(self, revision: str) -> list[Json]:
        return []

    def change(self, service: Json, patch: Mapping[str, Any], *, dry_run: bool = False) -> Json:
        assert self.now is not None
        if text(service, "metadata", "resourceVersion") != text(self.now, "metadata", "resourceVersion"):
            raise Conflict("the object has been modified")
        self.patches.append(copy.deepcopy(dict(patch)))
        changed = _merged(self.now, patch)
        changed["metadata"]["resourceVersion"] = str(int(self.now["metadata"]["resourceVersion"]) + 1)
        if changed["spec"] != self.now["spec"]:
            changed["metadata"]["generation"] += 1
        self.now = changed
        self.reconcile()
        return copy.deepcopy(self.now)

    def delete(self, service: Json) -> None:
        self.deleted.append((name_of(service), text(service, "metadata", "resourceVersion")))
        self.now, self.there = None, {}

    def delete_revision(self, revision: Json) -> None:
        there = self.there.get(name_of(revision))
        if there is None:
            return
        if text(revision, "metadata", "resourceVersion") != text(there, "metadata", "resourceVersion"):
            raise Conflict("the object has been modified")
        self.deleted.append((name_of(revision), text(revision, "metadata", "resourceVersion")))
        self.there.pop(name_of(revision), None)

    def reconcile(self) -> None:
        """As the reconcilers of Service and Route do."""
        assert self.now is not None
        status, metadata = self.now["status"], self.now["metadata"]
        status["observedGeneration"] = metadata["generation"]
        targets = self.now["spec"]["traffic"]
        names = {one["revisionName"] for one in targets}
        unready = sorted(one for one in names if one not in self.there or state_of(self.there[one]) != "running")
        if unready:
            _say(status, "False", "RevisionMissing", f'Revision "{unready[0]}" failed to become ready.')
            return
        status["traffic"] = [dict(one) for one in targets]
        if self.ingress:
            _say(status, "True")
        else:
            _say(status, "Unknown", "IngressNotConfigured", "Ingress has not yet been reconciled.")


def serves(release: Any, *revisions: Json) -> FakeCalls:
    """A settled Service with all of its traffic at this release."""
    return FakeCalls(serving(release), *revisions)


def _say(status: Json, value: str, reason: str = "", message: str = "") -> None:
    told = {"status": value, "reason": reason, "message": message}
    status["conditions"] = [
        {"type": "Ready", **told},
        {"type": "RoutesReady", **told},
        {"type": "ConfigurationsReady", "status": "True"},
    ]


def _merged(there: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    made = copy.deepcopy(there) if isinstance(there, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merged(made.get(key), value)
    return made
