"""Google's errors mean the same on both transports."""

from __future__ import annotations

import json
from typing import Any

import google.auth.exceptions
import pytest
import requests
from google.api_core import exceptions
from google.protobuf.json_format import ParseError

from shipper.errors import Conflict, Denied, Invalid, NotFound, PlatformError, Transient
from shipper_targets.cloudrun.google_errors import check_response, error_of, translated

pytestmark = pytest.mark.unit

CODES: list[tuple[str, int, type[PlatformError]]] = [
    ("INVALID_ARGUMENT", 400, Invalid),
    ("FAILED_PRECONDITION", 400, Invalid),
    ("UNAUTHENTICATED", 401, Denied),
    ("PERMISSION_DENIED", 403, Denied),
    ("NOT_FOUND", 404, NotFound),
    ("ABORTED", 409, Conflict),
    ("ALREADY_EXISTS", 409, Conflict),
    ("INTERNAL", 500, Transient),
    ("UNAVAILABLE", 503, Transient),
    ("DEADLINE_EXCEEDED", 504, Transient),
]


def answered(status: int, body: Any) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return response


def over_grpc(code: str, message: str) -> exceptions.GoogleAPICallError:
    import grpc

    error: exceptions.GoogleAPICallError = exceptions.from_grpc_status(grpc.StatusCode[code], message)  # type: ignore[no-untyped-call]
    return error


def over_rest(code: str, status: int, message: str) -> exceptions.GoogleAPICallError:
    body = {"error": {"code": status, "status": code, "message": message}}
    payload = answered(status, body)
    payload.request = requests.Request("GET", "http://run/v2").prepare()
    error: exceptions.GoogleAPICallError = exceptions.from_http_response(payload)  # type: ignore[no-untyped-call]
    return error


@pytest.mark.parametrize(("code", "status", "kind"), CODES)
def test_a_code_means_the_same_on_both_transports(code: str, status: int, kind: type[PlatformError]) -> None:
    for error in (over_grpc(code, "what happened"), over_rest(code, status, "what happened")):
        with pytest.raises(kind, match=r"read the service: .*what happened") as raised, translated("read the service"):
            raise error
        assert type(raised.value) is kind


@pytest.mark.parametrize(("code", "status", "kind"), CODES)
def test_and_on_the_apis_beside_it(code: str, status: int, kind: type[PlatformError]) -> None:
    with pytest.raises(kind, match="ask: gone"):
        check_response("ask", answered(status, {"error": {"status": code, "message": "gone"}}))


def test_a_name_that_is_taken_is_nobodys_race() -> None:
    message = "Revision named 'a-1' with different configuration already exists."
    assert isinstance(error_of("write", "ALREADY_EXISTS", message), Invalid)


RATES = [
    "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute per region'",
    "Quota exceeded for quota metric 'Read requests'.",
    "Resource has been exhausted (e.g. check quota).",
    "Rate exceeded.",
    "HTTP 429",
]
ALLOWANCES = [
    "You do not have quota for using GPUs without zonal redundancy.",
    "Quota exceeded for total allowable CPU per project per region.",
    "Quota violated: CpuAllocPerProjectRegion requested: 200000 allowed: 100000",
    "The number of instances exceeds the limit.",
    "Quota exceeded for services in 'projects/p/locations/r': 1000.",
]


@pytest.mark.parametrize("words", RATES)
def test_a_rate_heals(words: str) -> None:
    assert isinstance(error_of("write", "RESOURCE_EXHAUSTED", words), Transient)


@pytest.mark.parametrize("words", ALLOWANCES)
def test_an_allowance_does_not(words: str) -> None:
    assert isinstance(error_of("write", "RESOURCE_EXHAUSTED", words), Invalid)


def test_a_page_that_says_too_many_heals() -> None:
    with pytest.raises(Transient, match="HTTP 429"):
        check_response("read the secret token", answered(429, b"<html>Too busy</html>"))


PLUGIN = "Getting metadata from plugin failed with error: "


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("('Error code invalid_grant: The given credential is expired.', '{}')", Denied),
        ("('Unable to acquire impersonated credentials', '{\"error\": {\"code\": 403}}')", Denied),
        ("('Reauthentication is needed. Please run `gcloud auth application-default login`.',)", Denied),
        ("HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): Max retries exceeded", Transient),
        ("('Unable to acquire impersonated credentials', '{\"error\": {\"code\": 503}}')", Transient),
    ],
)
def test_credentials_that_are_refused_on_a_channel_are_no_outage(words: str, kind: type[PlatformError]) -> None:
    with pytest.raises(PlatformError) as raised, translated("read the service"):
        raise over_grpc("UNAVAILABLE", PLUGIN + words)
    assert type(raised.value) is kind


def test_an_answer_that_is_none_of_the_apis_heals() -> None:
    with pytest.raises(Transient, match="none of this API's"), translated("read the service"):
        raise ParseError("Failed to load JSON")


def test_a_file_that_is_not_there_stays_so_and_a_connection_does_not() -> None:
    with pytest.raises(Denied, match=r"bundle\.pem"), translated("read the service"):
        raise OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /no/bundle.pem")
    with pytest.raises(Transient), translated("read the service"):
        raise ConnectionResetError("reset by peer")


def test_a_missing_permission_is_named() -> None:
    message = "Permission 'run.services.update' denied on resource 'projects/p/locations/r/services/s'"
    assert "missing permission: run.services.update" in str(error_of("write", "PERMISSION_DENIED", message))


def test_no_credentials_are_no_outage() -> None:
    with pytest.raises(Denied, match="application-default login"), translated("find Google credentials"):
        raise google.auth.exceptions.DefaultCredentialsError("none")  # type: ignore[no-untyped-call]
    with pytest.raises(Denied, match="cannot be used"), translated("renew"):
        raise google.auth.exceptions.RefreshError("invalid_grant")  # type: ignore[no-untyped-call]
    with pytest.raises(Transient), translated("renew"):
        raise google.auth.exceptions.TransportError("no route")  # type: ignore[no-untyped-call]


def test_a_proxys_own_page_is_judged_by_its_status() -> None:
    with pytest.raises(Transient, match="HTTP 502"):
        check_response("ask", answered(502, b"<html>Bad Gateway</html>"))
    with pytest.raises(Denied, match="HTTP 403"):
        check_response("ask", answered(403, b"[]"))
    check_response("ask", answered(200, b"{}"))
