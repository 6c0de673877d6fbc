"""The v1 API of Cloud Run, which `gcloud run` speaks: Knative's shapes on the state that v2 clients write.

Paths as in googlecloudsdk/generated_clients/apis/run/v1/run_v1_client.py (gcloud 528):
* `/apis/serving.knative.dev/v1/namespaces/PROJECT/{services,revisions,configurations,routes}`;
* `/v1/projects/P/locations/L/services` (L is "-" for all), `…/services/S:{get,set}IamPolicy`, `:testIamPermissions`;
* `/v1/projects/P/locations`, and `/v1/projects/P/locations/L/operations/O`, also `:wait`, which gcloud does for the
  operation that a write names in the annotation run.googleapis.com/operation-id; its response is a v1 object.

What it leaves out: jobs, worker pools, domain mappings, PATCH, watches and field selectors (refused).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from google.cloud import run_v2
from google.iam.v1.policy_pb2 import Policy
from google.protobuf import json_format

from tests.rig.google.cloudrun.contract import StateView
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.v1_annotations import Json
from tests.rig.google.cloudrun.v1_lists import page
from tests.rig.google.cloudrun.v1_objects import Namespace
from tests.rig.google.cloudrun.v1_translate import service_to_v1
from tests.rig.google.http import HttpAnswer, HttpRequest, refusal
from tests.rig.google.http import answer as answered

_HOST = re.compile(r"^([a-z]+-[a-z]+[0-9]+)-run\.")
_NAMESPACED = re.compile(r"^/apis/serving\.knative\.dev/v1/namespaces/([^/]+)/([a-z]+)(?:/([^/]+))?$")
_PLACED = re.compile(
    r"^/v1/projects/([^/]+)/locations(?:/([^/]+)(?:/(services|operations)(?:/([^/:]+)(?::(\w+))?)?)?)?$"
)
_REGIONS = ("asia-northeast1", "europe-west1", "europe-west4", "us-central1", "us-east1", "us-west1")
_LONGEST_WAIT = 30.0


def answer(state: StateView, request: HttpRequest) -> HttpAnswer | None:
    """None for a path that is not of v1."""
    namespaced, placed = _NAMESPACED.match(request.path), _PLACED.match(request.path)
    if namespaced is None and placed is None:
        return None
    try:
        if namespaced is not None:
            return answered(_namespaced(state, request, *namespaced.groups()))
        assert placed is not None
        return answered(_placed(state, request, *placed.groups()))
    except ApiError as error:
        return refusal(error)


def region(request: HttpRequest) -> str:
    """The region that the host names, else "". A client that takes this for its proxy sends whole URLs."""
    host = urlsplit(request.target).netloc or request.headers.get("host", "")
    found = _HOST.match(host)
    return found.group(1) if found else ""


def _namespaced(state: StateView, request: HttpRequest, project: str, kind: str, name: str | None) -> Json:
    namespace = Namespace(state, project, region(request), request.principal)
    dry_run = _dry_run(request.query)
    if name is None:
        lists = {
            "services": namespace.services,
            "revisions": namespace.revisions,
            "configurations": namespace.configurations,
            "routes": namespace.routes,
        }
        if request.method == "GET" and kind in lists:
            return lists[kind](request.query)
        if (request.method, kind) == ("POST", "services"):
            return namespace.create(request.json(), dry_run)
        raise _no_method(request)
    calls: dict[tuple[str, str], Callable[[], Json]] = {
        ("GET", "services"): lambda: namespace.service(name),
        ("PUT", "services"): lambda: namespace.replace(name, request.json(), dry_run),
        ("DELETE", "services"): lambda: namespace.delete_service(name, dry_run),
        ("GET", "revisions"): lambda: namespace.revision(name),
        ("DELETE", "revisions"): lambda: namespace.delete_revision(name, dry_run),
        ("GET", "configurations"): lambda: namespace.configuration(name),
        ("GET", "routes"): lambda: namespace.route(name),
    }
    if (request.method, kind) not in calls:
        raise _no_method(request)
    return calls[request.method, kind]()


def _placed(
    state: StateView,
    request: HttpRequest,
    project: str,
    location: str | None,
    kind: str | None,
    name: str | None,
    verb: str | None,
) -> Json:
    if location is None and request.method == "GET":
        return _locations(state, project)
    parent = f"projects/{project}/locations/{location}"
    resource = f"{parent}/{kind}/{name}"
    asked = (request.method, kind, name is not None, verb)
    if asked == ("GET", "services", False, None):
        places = state.locations(project) if location == "-" else [str(location)]
        services = [one for place in places for one in state.list_services(f"projects/{project}/locations/{place}")]
        return page("Service", [service_to_v1(service) for service in services], request.query)
    if asked == ("GET", "services", True, "getIamPolicy"):
        return _shown(state.get_iam_policy(resource))
    if asked == ("POST", "services", True, "setIamPolicy"):
        return _shown(state.set_iam_policy(resource, _policy(request.json())))
    if asked == ("POST", "services", True, "testIamPermissions"):
        state.get_service(resource)
        return {"permissions": request.json().get("permissions", [])}
    if asked == ("GET", "operations", True, None):
        return _operation(state, resource, 0.0)
    if asked == ("POST", "operations", True, "wait"):
        seconds = str(request.json().get("timeout", f"{_LONGEST_WAIT}s")).removesuffix("s")
        return _operation(state, resource, min(_LONGEST_WAIT, float(seconds)))
    raise _no_method(request)


def _locations(state: StateView, project: str) -> Json:
    places = sorted({*_REGIONS, *state.locations(project)})
    return {"locations": [{"name": f"projects/{project}/locations/{one}", "locationId": one} for one in places]}


def _operation(state: StateView, name: str, seconds: float) -> Json:
    """The operation, once it is done, or as it is after `seconds`."""
    until = time.monotonic() + seconds
    operation = state.get_operation(name)
    while not operation.done and time.monotonic() < until:
        time.sleep(0.05)
        operation = state.get_operation(name)
    v1: Json = {"name": name, "done": operation.done}
    if operation.HasField("error"):
        return {**v1, "error": {"code": operation.error.code, "message": operation.error.message}}
    if operation.done:
        service = run_v2.Service()
        if operation.response.Unpack(run_v2.Service.pb(service)):
            v1["response"] = {
                "@type": "type.googleapis.com/google.cloud.run.v1.Service",
                **service_to_v1(service, name),
            }
    return v1


def _policy(body: Mapping[str, Any]) -> Policy:
    policy = Policy()
    try:
        json_format.ParseDict(dict(body.get("policy") or {}), policy)
    except json_format.ParseError as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from None
    return policy


def _shown(policy: Policy) -> Json:
    return dict(json_format.MessageToDict(policy))


def _dry_run(query: Mapping[str, str]) -> bool:
    asked = query.get("dryRun", "")
    if asked not in ("", "all"):
        raise ApiError("INVALID_ARGUMENT", f"dryRun: Invalid value: '{asked}'")
    return asked == "all"


def _no_method(request: HttpRequest) -> ApiError:
    return ApiError("UNIMPLEMENTED", f"{request.method} {request.path} is not part of the rig's v1 API.")
