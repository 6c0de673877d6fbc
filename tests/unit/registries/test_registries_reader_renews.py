"""Credentials that a registry does not know any more, and those that nobody has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from shipper.errors import CredentialsError
from shipper.registries.credentials import Credentials
from shipper.registries.names import parse_repository
from shipper.registries.reader import RegistryReader
from shipper.registries.refusals import NoCredentials

pytestmark = pytest.mark.unit

HOST = "us-central1-docker.pkg.dev"
REALM = f"https://{HOST}/v2/token"
CHALLENGE = {"WWW-Authenticate": f'Bearer realm="{REALM}",service="{HOST}",scope="repository:shop/models/iris:pull"'}
REFUSED = {
    "errors": [{"code": "DENIED", "message": 'Permission "artifactregistry.repositories.downloadArtifacts" denied'}]
}


class Account:
    """Has one password after another; only the last one is known to the registry."""

    def __init__(self, *passwords: str) -> None:
        self._passwords = list(passwords)

    def __call__(self) -> Credentials | None:
        return Credentials("oauth2accesstoken", self._passwords[0])

    def renew(self) -> bool:
        self._passwords.pop(0)
        return bool(self._passwords)


Connect = Callable[[Callable[[], Credentials | None], Callable[[], bool]], RegistryReader]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """A reader of a registry whose token service knows the password "new", and whose public images are none."""
    opened: list[RegistryReader] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if urlsplit(str(request.url)).path == "/v2/token":
            given = request.headers.get("authorization")
            if given is None:
                return httpx.Response(403, json=REFUSED)
            known = given == httpx_basic("new")
            return httpx.Response(200, json={"token": "good"}) if known else httpx.Response(401, json={})
        if request.headers.get("authorization") == "Bearer good":
            return httpx.Response(200, content=b"{}")
        return httpx.Response(401, headers=CHALLENGE)

    def connected(credentials: Callable[[], Credentials | None], renew: Callable[[], bool]) -> RegistryReader:
        reader = RegistryReader(parse_repository(f"{HOST}/shop/models/iris"), credentials, renew)
        monkeypatch.setattr(reader, "_client", httpx.Client(transport=httpx.MockTransport(answer)))
        opened.append(reader)
        return reader

    yield connected
    for reader in opened:
        reader.close()


def httpx_basic(password: str) -> str:
    flow = httpx.BasicAuth("oauth2accesstoken", password).auth_flow(httpx.Request("GET", "https://x"))
    return str(next(flow).headers["authorization"])


def test_what_the_registry_knows_is_not_had_anew(connect: Connect) -> None:
    account = Account("new")

    assert connect(account, account.renew).manifest("cfg-1") is not None
    assert account() is not None


def test_what_it_does_not_know_any_more_is_had_anew_once(connect: Connect) -> None:
    account = Account("old", "new")

    assert connect(account, account.renew).manifest("cfg-1") is not None


def test_what_it_never_knew_is_refused(connect: Connect) -> None:
    account = Account("old", "older")

    with pytest.raises(CredentialsError, match="its token service answered 401"):
        connect(account, account.renew).manifest("cfg-1")


def test_without_credentials_what_is_not_public_says_what_is_missing(connect: Connect) -> None:
    def nobody() -> Credentials | None:
        raise NoCredentials("there are none here")

    with pytest.raises(NoCredentials, match="there are none here"):
        connect(nobody, lambda: False).manifest("cfg-1")


def test_a_missing_permission_is_named(connect: Connect) -> None:
    with pytest.raises(CredentialsError, match=r"no permission artifactregistry\.repositories\.downloadArtifacts"):
        connect(lambda: None, lambda: False).manifest("cfg-1")
