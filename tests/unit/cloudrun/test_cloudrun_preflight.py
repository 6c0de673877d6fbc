"""What the rig's Cloud Run cannot be: an API that is off, a service without its own URL, a rehearsal without an end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from google.cloud import run_v2
from google.longrunning.operations_pb2 import Operation

from shipper.errors import Denied, NotFound
from shipper.model import Problem
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.clients import Clients
from shipper_targets.cloudrun.identity import Identity
from shipper_targets.cloudrun.names import names_of
from shipper_targets.cloudrun.permissions import may_read_value
from shipper_targets.cloudrun.preflight import Preflight
from shipper_targets.cloudrun.rest import Rest
from shipper_targets.cloudrun.secret_manager import SecretManager
from shipper_targets.cloudrun.settings import CloudRunSettings
from tests.unit.cloudrun.rendering import own, settings_of

pytestmark = pytest.mark.unit

ACCOUNT = "shop@demo.iam.gserviceaccount.com"


class Asked:
    """Google's REST APIs: `answers` by a part of the address, a PlatformError is raised; else all is allowed."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def post(self, doing: str, host: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        for part, found in self._answers.items():
            if part in host + path:
                if isinstance(found, Exception):
                    raise found
                return {"permissions": found}
        return {"permissions": body["permissions"]}


class Services:
    """The Cloud Run API with one service, or none; rehearsals are accepted, and end or do not."""

    def __init__(self, service: run_v2.Service | None = None, *, done: bool = True) -> None:
        self._service, self._done = service, done

    def get_service(self, *_: Any, **__: Any) -> run_v2.Service:
        from google.api_core import exceptions

        if self._service is None:
            raise exceptions.NotFound("no such service")  # type: ignore[no-untyped-call]
        return self._service

    def create_service(self, *_: Any, **__: Any) -> Any:
        return SimpleNamespace(operation=Operation(name="x", done=self._done))

    update_service = create_service


class Told:
    """Keeps remarks."""

    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, text: str) -> None:
        self.remarks.append(text)


def look(
    place: CloudRunSettings, services: Services | None = None, rest: Asked | None = None
) -> tuple[list[Problem], list[str]]:
    """Problems and remarks."""
    told, settings = Told(), settings_of()
    clients = cast(Clients, SimpleNamespace(services=services or Services()))
    api, asked = Api(clients, names_of(settings, place)), cast(Rest, rest or Asked())
    identity = cast(Identity, SimpleNamespace(headers=lambda audience: {}))
    check = Preflight(api, asked, SecretManager(asked, "demo"), identity, place, cast(Any, told))
    return check.problems(settings, "run"), told.remarks


def test_nothing_is_wrong() -> None:
    assert look(own(service_account=ACCOUNT)) == ([], [])


def test_the_iam_api_need_not_be_enabled() -> None:
    """It is asked whether we may act as the account; a release itself does not need it."""
    off = Asked(serviceAccounts=Denied("IAM API has not been used in project 1 before or it is disabled"))
    problems, (remark,) = look(own(service_account=ACCOUNT), rest=off)
    assert problems == []
    assert ACCOUNT in remark
    assert "has not been used" in remark


def test_but_an_account_that_is_not_ours_to_use_is_a_problem() -> None:
    (problem,), _ = look(own(service_account=ACCOUNT), rest=Asked(serviceAccounts=[]))
    assert (problem.code, problem.key) == (32, "targets.service_account")


def test_that_a_service_without_its_default_url_cannot_be_asked_is_said() -> None:
    services = Services(run_v2.Service(name="projects/demo/locations/r/services/shop-dev", default_uri_disabled=True))
    problems, remarks = look(own(), services)
    assert problems == []
    assert any("default URL of shop-dev is disabled" in remark for remark in remarks)
    assert look(own(ingress="internal-and-load-balancing"), services) == ([], [])


@pytest.mark.parametrize("service", [None, run_v2.Service(name="projects/demo/locations/r/services/shop-dev")])
def test_a_rehearsal_that_has_not_ended_is_no_yes(service: run_v2.Service | None) -> None:
    problems, (remark,) = look(own(), Services(service, done=False))
    assert problems == []
    assert remark.startswith("whether Cloud Run takes this is not known")


@pytest.mark.parametrize(
    ("project", "secret", "may"),
    [
        (["secretmanager.versions.access"], [], True),
        ([], ["secretmanager.versions.access"], True),
        ([], [], False),
        ([], NotFound("no such method"), False),
        (Denied("the Resource Manager API is off"), ["secretmanager.versions.access"], True),
        (Denied("the Resource Manager API is off"), [], False),
    ],
)
def test_a_value_is_ours_by_the_project_or_by_the_secret(project: Any, secret: Any, may: bool) -> None:
    rest = cast(Rest, Asked(cloudresourcemanager=project, secretmanager=secret))
    assert may_read_value(rest, "demo", "secret-manager:token") is may
