"""The methods of Cloud Run Admin API v2, apart from any transport: one table, which both fronts are made from.

A method takes the request message and who asks, and gives the response message. Around it: who may ask at all,
permission, faults, edits of a third party, the log of writes, holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.cloud import run_v2
from google.iam.v1 import iam_policy_pb2
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from tests.rig.google.access import Access
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.hands import Hands, Write
from tests.rig.google.cloudrun.names import project_of
from tests.rig.google.cloudrun.paging import page
from tests.rig.google.cloudrun.state import State

SERVICES, REVISIONS = "google.cloud.run.v2.Services", "google.cloud.run.v2.Revisions"
OPERATIONS = "google.longrunning.Operations"
HOST = "run.googleapis.com"


@dataclass(frozen=True)
class Method:
    """One method. `subject` names the field of the request that names the resource, `permission` is what it takes."""

    service: str
    name: str
    request: Any
    subject: str
    permission: str
    work: Callable[[Any, str], Any]
    write: bool = False


class Api:
    def __init__(self, state: State, hands: Hands, access: Access) -> None:
        self.state, self.hands, self.access = state, hands, access
        self.methods = {f"{method.service}/{method.name}": method for method in self._table()}

    def call(self, method: Method, request: Any, principal: str) -> Any:
        """Carry out one call. Raises ApiError."""
        resource = _subject(method, request)
        project = project_of(resource)
        self.access.admit(principal, project, HOST, f"{method.service}.{method.name}")
        write = method.write and not getattr(request, "validate_only", False)
        self.hands.enter(project, method.name, write)
        if method.permission:
            self.access.require(principal, method.permission, project, resource)
        answer = self._logged(method, request, principal, project) if write else method.work(request, principal)
        self.hands.leave(project, method.name, write)
        return answer

    def _logged(self, method: Method, request: Any, principal: str, project: str) -> Any:
        resource = _subject(method, request)
        mask = tuple(request.update_mask.paths) if method.name == "UpdateService" else ()
        etag = str(request.service.etag if method.name == "UpdateService" else getattr(request, "etag", ""))
        write = self.hands.begin_write(
            project, lambda number: Write(number, method.name, resource, principal, mask, etag)
        )
        self._edit(project, resource)
        try:
            answer = method.work(request, principal)
            self.hands.end_write(write, "OK", getattr(answer, "name", ""))
        except ApiError as error:
            self.hands.end_write(write, error.code)
            raise
        finally:
            self.hands.hold_after(project, write)
        return answer

    def _edit(self, project: str, resource: str) -> None:
        """A third party's writes, just before ours is carried out."""
        name = resource.partition("/revisions/")[0]
        for edit in self.hands.edits_before(project):
            if not self._there(name):
                continue
            if edit.traffic is None:
                self.state.touch(name)
            else:
                self.state.update_service(_traffic(name, edit.traffic), ["traffic"], principal="someone@else")

    def _there(self, service: str) -> bool:
        return any(service == found.name for found in self.state.list_services(service.rpartition("/services/")[0]))

    def _table(self) -> list[Method]:
        state = self.state
        return [
            Method(
                SERVICES,
                "CreateService",
                run_v2.CreateServiceRequest,
                "parent",
                "run.services.create",
                self._create,
                True,
            ),
            Method(
                SERVICES,
                "GetService",
                run_v2.GetServiceRequest,
                "name",
                "run.services.get",
                lambda q, _: state.get_service(q.name),
            ),
            Method(
                SERVICES,
                "ListServices",
                run_v2.ListServicesRequest,
                "parent",
                "run.services.list",
                _list_services(state),
            ),
            Method(
                SERVICES,
                "UpdateService",
                run_v2.UpdateServiceRequest,
                "service.name",
                "run.services.update",
                self._update,
                True,
            ),
            Method(
                SERVICES,
                "DeleteService",
                run_v2.DeleteServiceRequest,
                "name",
                "run.services.delete",
                lambda q, _: state.delete_service(q.name, etag=q.etag, validate_only=q.validate_only),
                True,
            ),
            Method(
                SERVICES,
                "GetIamPolicy",
                iam_policy_pb2.GetIamPolicyRequest,
                "resource",
                "run.services.getIamPolicy",
                lambda q, _: state.get_iam_policy(q.resource),
            ),
            Method(
                SERVICES,
                "SetIamPolicy",
                iam_policy_pb2.SetIamPolicyRequest,
                "resource",
                "run.services.setIamPolicy",
                lambda q, _: state.set_iam_policy(q.resource, q.policy),
                True,
            ),
            Method(
                SERVICES, "TestIamPermissions", iam_policy_pb2.TestIamPermissionsRequest, "resource", "", self._test
            ),
            Method(
                REVISIONS,
                "GetRevision",
                run_v2.GetRevisionRequest,
                "name",
                "run.revisions.get",
                lambda q, _: state.get_revision(q.name),
            ),
            Method(
                REVISIONS,
                "ListRevisions",
                run_v2.ListRevisionsRequest,
                "parent",
                "run.revisions.list",
                _list_revisions(state),
            ),
            Method(
                REVISIONS,
                "DeleteRevision",
                run_v2.DeleteRevisionRequest,
                "name",
                "run.revisions.delete",
                lambda q, _: state.delete_revision(q.name, etag=q.etag, validate_only=q.validate_only),
                True,
            ),
            Method(
                OPERATIONS,
                "GetOperation",
                operations_pb2.GetOperationRequest,
                "name",
                "run.operations.get",
                lambda q, _: state.get_operation(q.name),
            ),
            Method(
                OPERATIONS,
                "ListOperations",
                operations_pb2.ListOperationsRequest,
                "name",
                "run.operations.list",
                self._operations,
            ),
            Method(
                OPERATIONS,
                "DeleteOperation",
                operations_pb2.DeleteOperationRequest,
                "name",
                "run.operations.delete",
                self._forget,
            ),
            Method(
                OPERATIONS,
                "WaitOperation",
                operations_pb2.WaitOperationRequest,
                "name",
                "run.operations.get",
                self._wait,
            ),
        ]

    def _create(self, request: Any, principal: str) -> Any:
        self._act_as(request.service, request.parent, principal)
        return self.state.create_service(
            request.parent,
            request.service_id,
            request.service,
            validate_only=request.validate_only,
            principal=principal,
        )

    def _update(self, request: Any, principal: str) -> Any:
        self._act_as(request.service, request.service.name, principal)
        if request.allow_missing and not self._there(request.service.name):
            self.access.require(
                principal, "run.services.create", project_of(request.service.name), request.service.name
            )
        return self.state.update_service(
            request.service,
            list(request.update_mask.paths),
            validate_only=request.validate_only,
            allow_missing=request.allow_missing,
            principal=principal,
        )

    def _act_as(self, service: run_v2.Service, resource: str, principal: str) -> None:
        """run/docs/reference/iam/roles: deploying takes iam.serviceaccounts.actAs on the service's identity."""
        if "template" in service:
            account = service.template.service_account or "the default service account"
            self.access.require(principal, "iam.serviceaccounts.actAs", project_of(resource), account)

    def _test(self, request: Any, principal: str) -> Any:
        """A resource that does not exist gives no permissions, and no error (google.iam.v1.IAMPolicy)."""
        project = project_of(request.resource)
        if not self._there(request.resource):
            return iam_policy_pb2.TestIamPermissionsResponse()
        had = [name for name in request.permissions if self.access.may(principal, name, project)]
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=had)

    def _operations(self, request: Any, principal: str) -> Any:
        parent = request.name.removesuffix("/operations")
        chosen, token = page(self.state.operations.list(parent), request.page_size, request.page_token)
        return operations_pb2.ListOperationsResponse(operations=chosen, next_page_token=token)

    def _forget(self, request: Any, principal: str) -> Any:
        self.state.operations.forget(request.name)
        return empty_pb2.Empty()

    def _wait(self, request: Any, principal: str) -> Any:
        seconds = request.timeout.ToTimedelta().total_seconds() if request.HasField("timeout") else 30.0
        return self.state.operations.wait(request.name, min(seconds, 60.0))


def _list_services(state: State) -> Callable[[Any, str], Any]:
    def work(request: Any, _: str) -> Any:
        chosen, token = page(state.list_services(request.parent), request.page_size, request.page_token)
        return run_v2.ListServicesResponse(services=chosen, next_page_token=token)

    return work


def _list_revisions(state: State) -> Callable[[Any, str], Any]:
    def work(request: Any, _: str) -> Any:
        chosen, token = page(state.list_revisions(request.parent), request.page_size, request.page_token)
        return run_v2.ListRevisionsResponse(revisions=chosen, next_page_token=token)

    return work


def _subject(method: Method, request: Any) -> str:
    value = request
    for part in method.subject.split("."):
        value = getattr(value, part)
    if method.name == "CreateService":
        return f"{value}/services/{request.service_id}"
    return str(value)


def _traffic(name: str, shares: dict[str, int]) -> run_v2.Service:
    kinds = run_v2.TrafficTargetAllocationType
    latest, named = kinds.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, kinds.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
    targets = [
        run_v2.TrafficTarget(type_=named, revision=revision, percent=share) for revision, share in shares.items()
    ]
    return run_v2.Service(name=name, traffic=targets or [run_v2.TrafficTarget(type_=latest, percent=100)])
