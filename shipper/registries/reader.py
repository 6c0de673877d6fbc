"""Reads a registry over its HTTP API (OCI distribution specification 1.1): the only witness that we believe.

The engine says that it pushed; what the registry then really holds is asked here, of the registry itself.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shipper.errors import CredentialsError, PublishError, ShipperError, UnreachableError
from shipper.registries.credentials import Credentials
from shipper.registries.names import Repository, is_loopback
from shipper.registries.refusals import NoCredentials, Unauthorized, denied, unauthorized, words_of

if TYPE_CHECKING:
    import httpx

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MAX_MANIFEST = 4 << 20
"""Bytes: the limit that the specification asks registries to keep."""

TIMEOUT = 20.0
"""Seconds without a byte, until a registry counts as unreachable."""

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Held:
    """What a registry holds under a name: the bytes, their digest computed by us, and their media type."""

    content: bytes
    digest: str
    media_type: str


class RegistryReader:
    """Reads one repository, logging in as the registry asks (anonymous, Basic, Bearer). Close it after use.

    `renew`: whether there are other credentials than those that were just refused.
    """

    def __init__(
        self,
        repository: Repository,
        credentials: Callable[[], Credentials | None],
        renew: Callable[[], bool] = lambda: False,
    ) -> None:
        import httpx

        self._repository = repository
        self._find_credentials = credentials
        self._renew = renew
        self._authorization = ""
        local = repository.is_local
        self._client = httpx.Client(
            timeout=TIMEOUT,
            follow_redirects=True,
            trust_env=not local,  # a proxy cannot reach this machine's own registry
            verify=True if local else _certificates(repository.host),
        )

    def manifest(self, reference: str) -> Held | None:
        """The manifest under a tag or digest; None when there is none.

        Raises CredentialsError (401, 403), UnreachableError (no answer, 429, 5xx), PublishError (anything else).
        """
        response = self._get(f"{self._repository.url}/manifests/{reference}")
        if response.status_code == 404:
            return None
        if len(response.content) > MAX_MANIFEST:
            raise PublishError(f"{self._name(reference)} is larger than any manifest", hint="is this a registry?")
        media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        return Held(response.content, f"sha256:{hashlib.sha256(response.content).hexdigest()}", media_type)

    def blob(self, digest: str) -> bytes | None:
        """A small blob, such as an image's configuration; None when there is none. Raises as `manifest` does."""
        response = self._get(f"{self._repository.url}/blobs/{digest}")
        if response.status_code == 404:
            return None
        content = response.content
        if len(content) > MAX_MANIFEST or f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise PublishError(
                f"the registry gives other bytes for {digest} than that digest says", hint="do not use this registry"
            )
        return content

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def _get(self, url: str) -> httpx.Response:
        response = self._send(url)
        if response.status_code == 401:
            response = self._send_logged_in(url, response.headers.get("www-authenticate", ""))
        if response.status_code not in (200, 404):
            raise self._refused(response)
        return response

    def _send(self, url: str) -> httpx.Response:
        headers = {"Accept": ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))}
        if self._authorization:
            headers["Authorization"] = self._authorization
        return self._reached(lambda: self._client.get(url, headers=headers))

    def _send_logged_in(self, url: str, challenge: str) -> httpx.Response:
        """Credentials that are refused although they look good may have been revoked: once more with others."""
        try:
            self._log_in(challenge)
            response = self._send(url)
        except Unauthorized:
            if not self._renew():
                raise
        else:
            if response.status_code != 401 or not self._renew():
                return response
        self._log_in(challenge)
        return self._send(url)

    def _log_in(self, challenge: str) -> None:
        try:
            self._log_in_as(self._find_credentials(), challenge)
        except NoCredentials as nobody:
            try:
                self._log_in_as(None, challenge)  # what is public needs none
            except CredentialsError:
                raise nobody from None

    def _log_in_as(self, credentials: Credentials | None, challenge: str) -> None:
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "bearer":
            self._authorization = f"Bearer {self._token(dict(_CHALLENGE.findall(rest)), credentials)}"
        elif credentials is None or not credentials.username:
            raise self._denied("it asks for credentials and there are none")
        else:
            import httpx

            basic = httpx.BasicAuth(credentials.username, credentials.password)
            request = next(basic.auth_flow(httpx.Request("GET", "http://x")))
            self._authorization = request.headers["Authorization"]

    def _token(self, challenge: Mapping[str, str], credentials: Credentials | None) -> str:
        realm = challenge.get("realm", "")
        if not self._may_know_credentials(realm):
            raise self._denied("it sends credentials to an address without encryption")
        response = self._reached(lambda: self._ask_for_token(realm, challenge, credentials))
        if response.status_code in (400, 401, 403):
            said = words_of(response.content)
            why = f"its token service answered {response.status_code}{f' ({said})' if said else ''}"
            raise unauthorized(self._repository, why) if response.status_code == 401 else self._denied(why)
        if response.status_code != 200:
            raise self._refused(response)
        try:
            answer = response.json()
            return str(answer.get("token") or answer["access_token"])
        except (ValueError, KeyError, AttributeError) as error:
            raise self._denied("its token service gave no token") from error

    def _ask_for_token(
        self, realm: str, challenge: Mapping[str, str], credentials: Credentials | None
    ) -> httpx.Response:
        wanted = {
            "service": challenge.get("service", ""),
            "scope": challenge.get("scope") or f"repository:{self._repository.path}:pull",
        }
        if credentials is not None and credentials.identity_token:
            form = {"grant_type": "refresh_token", "refresh_token": credentials.identity_token, "client_id": "shipper"}
            return self._client.post(realm, data={**wanted, **form}, follow_redirects=False)
        login = (credentials.username, credentials.password) if credentials is not None else None
        return self._client.get(realm, params=wanted, auth=login, follow_redirects=False)

    def _may_know_credentials(self, realm: str) -> bool:
        """Credentials travel encrypted, or not at all; a registry of this machine may have its service here too."""
        parts = urlsplit(realm)
        return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))

    def _reached(self, call: Callable[[], httpx.Response]) -> httpx.Response:
        import httpx

        try:
            return call()
        except (httpx.TransportError, httpx.InvalidURL, httpx.TooManyRedirects) as error:
            why = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            raise UnreachableError(
                f"the registry {self._repository.registry} does not answer: {why}",
                hint="is its name right, and is it reachable from here?",
            ) from error

    def _refused(self, response: httpx.Response) -> ShipperError:
        status = response.status_code
        said = words_of(response.content)
        if status in (401, 403):
            return self._denied(f"it answered {status}{f' ({said})' if said else ''}")
        if status == 429 or status >= 500:
            return UnreachableError(
                f"the registry {self._repository.registry} is out of order: it answered {status}",
                hint="try again; nothing was deployed",
            )
        return PublishError(f"the registry {self._repository.registry} answered {status}", hint="is this a registry?")

    def _denied(self, why: str) -> CredentialsError:
        return denied(self._repository, why)

    def _name(self, reference: str) -> str:
        return f"{self._repository.registry}/{self._repository.path}:{reference}"


def _certificates(host: str) -> ssl.SSLContext:
    """The system's authorities, and the one that Docker was given for this registry (/etc/docker/certs.d)."""
    context = ssl.create_default_context()
    for authority in sorted(Path("/etc/docker/certs.d", host).glob("*.crt")):
        context.load_verify_locations(cafile=authority)
    return context
