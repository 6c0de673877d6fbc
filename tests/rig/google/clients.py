"""The real google-cloud-run clients on the rig's port: for its own tests, and to look behind a tool's back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import grpc
from google.api_core.future.polling import _OperationNotComplete
from google.api_core.retry import Retry, if_exception_type
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

Transport = Literal["grpc", "rest"]
_NOBODY = AnonymousCredentials()  # type: ignore[no-untyped-call]
# `operation.result(polling=SOON)`: the clients' own polling begins with a whole second.
SOON = Retry(predicate=if_exception_type(_OperationNotComplete), initial=0.02, maximum=0.1, timeout=60)


def services(url: str, transport: Transport = "grpc") -> run_v2.ServicesClient:
    if transport == "grpc":
        channel = grpc.insecure_channel(url.removeprefix("http://"))
        return run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))
    options = {"api_endpoint": url}
    return run_v2.ServicesClient(transport="rest", credentials=_NOBODY, client_options=options)


def revisions(url: str, transport: Transport = "grpc") -> run_v2.RevisionsClient:
    if transport == "grpc":
        channel = grpc.insecure_channel(url.removeprefix("http://"))
        return run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=channel))
    options = {"api_endpoint": url}
    return run_v2.RevisionsClient(transport="rest", credentials=_NOBODY, client_options=options)


LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
NAMED = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION


def finished(operation: Any) -> Any:
    """What an operation gives once it is done; raises its error."""
    return operation.result(polling=SOON)


def to(revision: str, percent: int = 0, tag: str = "") -> run_v2.TrafficTarget:
    """A target: a revision by its short name, or "LATEST"."""
    if revision == "LATEST":
        return run_v2.TrafficTarget(type_=LATEST, percent=percent, tag=tag)
    return run_v2.TrafficTarget(type_=NAMED, revision=revision, percent=percent, tag=tag)


def template(image: str, revision: str = "", **more: Any) -> run_v2.RevisionTemplate:
    """One container of `image`; a name without a host is given docker.io's."""
    container = more.pop("container", {})
    named = image if "." in image.split("/")[0] else f"docker.io/rig/{image}"
    return run_v2.RevisionTemplate(revision=revision, containers=[run_v2.Container(image=named, **container)], **more)


@dataclass
class Calls:
    """Calls about one service, in few words. Writes wait for their operation and raise its error."""

    url: str
    transport: Transport
    project: str = "demo"
    service: str = "web"
    services: run_v2.ServicesClient = field(init=False)
    revisions: run_v2.RevisionsClient = field(init=False)

    def __post_init__(self) -> None:
        self.services, self.revisions = services(self.url, self.transport), revisions(self.url, self.transport)

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/us-central1"

    @property
    def name(self) -> str:
        return f"{self.parent}/services/{self.service}"

    def create(self, image: str, revision: str = "", traffic: Sequence[run_v2.TrafficTarget] = (), **more: Any) -> Any:
        wanted = run_v2.Service(template=template(image, revision), traffic=traffic, **more)
        return finished(self.send_create(wanted))

    def send_create(self, wanted: run_v2.Service, validate_only: bool = False) -> Any:
        request = run_v2.CreateServiceRequest(
            parent=self.parent, service_id=self.service, service=wanted, validate_only=validate_only
        )
        return self.services.create_service(request)

    def send(self, mask: str = "", etag: str = "", **fields: Any) -> Any:
        """UpdateService with these fields of the service, and nothing else in it; gives the operation."""
        service = run_v2.Service(name=self.name, etag=etag, **fields)
        paths = mask.split(",") if mask else []
        return self.services.update_service(run_v2.UpdateServiceRequest(service=service, update_mask={"paths": paths}))

    def update(self, mask: str = "", etag: str = "", **fields: Any) -> run_v2.Service:
        found: run_v2.Service = finished(self.send(mask, etag, **fields))
        return found

    def get(self) -> run_v2.Service:
        return self.services.get_service(name=self.name)

    def revision(self, revision: str) -> run_v2.Revision:
        return self.revisions.get_revision(name=f"{self.name}/revisions/{revision}")

    def routed(self) -> list[tuple[str, int, str]]:
        """What is routed now: revision ("LATEST"), percent, tag."""
        statuses = self.get().traffic_statuses
        return [(status.revision or "LATEST", status.percent, status.tag) for status in statuses]

    def states(self) -> dict[str, str]:
        """Condition -> "SUCCEEDED", "FAILED", "RECONCILING", of the service; "Ready" is its terminal condition."""
        service = self.get()
        found = [service.terminal_condition, *service.conditions]
        return {one.type_: run_v2.Condition.State(one.state).name.removeprefix("CONDITION_") for one in found}
