"""Pulling an image that exists already: with which credentials, and what a refusal means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from shipper.errors import CredentialsError, UsageError
from shipper.images import admit
from shipper.images.engine import DockerEngine
from shipper.pipeline.cancellation import RunCancellation
from tests.unit.images.conftest import Told

pytestmark = pytest.mark.unit

REFERENCE = "europe-west1-docker.pkg.dev/acme/images/shop:7"


class Daemon:
    """The docker SDK's client of an engine whose registry knows one password, or knows no image at all."""

    def __init__(self, known: str | None, words: str) -> None:
        self._known, self._words = known, words
        self.given: list[Mapping[str, str] | None] = []
        self.api = self

    def pull(self, reference: str, *, auth_config: Mapping[str, str] | None, **_: Any) -> Iterator[dict[str, Any]]:
        self.given.append(auth_config)
        if self._known is None or (auth_config or {}).get("password") != self._known:
            yield {"error": self._words}

    def close(self) -> None: ...


class Passwords:
    """Implements shipper.images.protocol.PullLogin."""

    def __init__(self, *passwords: str) -> None:
        self._left = list(passwords)

    def __call__(self) -> dict[str, str]:
        return {"username": "oauth2accesstoken", "password": self._left[0]}

    def renew(self) -> bool:
        self._left = self._left[1:] or self._left
        return len(self._left) > 0 and self._left[0] == "fresh"


def pulled(monkeypatch: pytest.MonkeyPatch, daemon: Daemon, login: Passwords | None) -> None:
    monkeypatch.setattr(admit, "open_client", lambda *_, **__: daemon)
    client: Any = SimpleNamespace(api=None)
    engine = DockerEngine(client, logins=lambda reference, cancel: login)
    admit._pull(engine, REFERENCE, "linux/amd64", Told(), RunCancellation())


def test_the_engine_gets_what_the_login_found(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = Daemon("good", "denied")
    pulled(monkeypatch, daemon, Passwords("good"))
    assert daemon.given == [{"username": "oauth2accesstoken", "password": "good"}]


def test_refused_credentials_are_had_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = Daemon("fresh", "unauthorized: failed authentication")
    pulled(monkeypatch, daemon, Passwords("stale", "fresh"))
    assert [given["password"] for given in daemon.given if given] == ["stale", "fresh"]


def test_where_there_are_no_others_the_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = Daemon("good", "unauthorized: failed authentication")
    with pytest.raises(CredentialsError, match="failed authentication"):
        pulled(monkeypatch, daemon, Passwords("stale"))
    assert len(daemon.given) == 1


def test_without_a_login_docker_s_own_configuration_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = Daemon(None, "manifest unknown")
    with pytest.raises(UsageError, match="manifest unknown"):
        pulled(monkeypatch, daemon, None)
    assert daemon.given == [None]
