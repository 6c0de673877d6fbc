"""Files of credentials and certificates that are not what they should be: told as that, never as a bug."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shipper.errors import CredentialsError
from shipper.registries.google_credentials import GoogleCredentials

pytestmark = pytest.mark.unit

PERSON = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "credentials.json"))
    return tmp_path / "credentials.json"


@pytest.mark.parametrize("text", ["[]", '"x"', "{}", "not json", '{"type": "impersonated_service_account"}'])
def test_a_file_that_is_no_credentials(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(CredentialsError, match="Google's credentials cannot be used") as refused:
        GoogleCredentials().login()
    assert refused.value.exit_code == 32


def test_a_bundle_of_certificates_that_is_not_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(json.dumps(PERSON))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    with pytest.raises(CredentialsError, match=r"/no/such/bundle\.pem") as refused:
        GoogleCredentials().login()
    assert "REQUESTS_CA_BUNDLE" in refused.value.hint
