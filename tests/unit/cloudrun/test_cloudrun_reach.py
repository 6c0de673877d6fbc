"""How this machine gets to the platform: where tokens may go, and to whose account calls are counted."""

from __future__ import annotations

from typing import Any

import google.oauth2.credentials
import pytest
from pydantic import ValidationError

from shipper.errors import Denied
from shipper_targets.cloudrun import clients
from shipper_targets.cloudrun.clients import Clients
from tests.unit.cloudrun.rendering import own

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("host", ["10.0.0.7:8080", "emulator.example.com", "127.example.com", "localhost.example.com"])
def test_an_access_token_is_not_sent_to_another_machine_without_tls(host: str) -> None:
    with pytest.raises(ValidationError, match=r"(?s)credentials\n.*without TLS: write https:// there, or credentials"):
        own(endpoint=f"http://{host}")
    own(endpoint=f"https://{host}")
    own(endpoint=f"http://{host}", credentials="none")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.1.2.3", "localhost:1", "run.localhost"])
def test_on_this_machine_it_may_be(host: str) -> None:
    own(endpoint=f"http://{host}")


@pytest.mark.parametrize("impersonate", [None, "deployer@demo.iam.gserviceaccount.com"])
def test_calls_are_counted_to_the_quota_project(impersonate: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(quota_project: str | None) -> Any:
        return google.oauth2.credentials.Credentials("token", quota_project_id=quota_project)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(clients, "default_credentials", found)
    made = Clients(own(quota_project="billing", impersonate=impersonate)).credentials
    assert made.quota_project_id == "billing"


@pytest.mark.parametrize(
    "error", [ValueError("Could not deserialize key data"), TypeError("not a string"), OSError(13, "denied")]
)
def test_a_file_that_cannot_be_read_is_no_bug(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str | None) -> Any:
        raise error

    monkeypatch.setattr(clients, "default_credentials", broken)
    with pytest.raises(Denied, match=r"find Google credentials: .*(deserialize|not a string|denied)"):
        _ = Clients(own()).credentials
