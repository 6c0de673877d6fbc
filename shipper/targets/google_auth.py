"""Google's application default credentials, for registries and adapters alike. Needs the extra `gcp`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar
from urllib.parse import urlsplit

SCOPE = "https://www.googleapis.com/auth/cloud-platform"

TIMEOUT = 20.0
"""Seconds for one answer of whoever gives tokens. google-auth's own default is two minutes."""


LOOKED_AT = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_CONFIG",
    "HOME",
    "APPDATA",
    "GCE_METADATA_HOST",
    "GCE_METADATA_IP",
    "NO_GCE_CHECK",
)
"""Variables by which google-auth finds credentials (google/auth/environment_vars.py)."""


def default_credentials(quota_project: str | None = None) -> Any:
    """google.auth.credentials.Credentials, scoped. Raises google.auth.exceptions.GoogleAuthError.

    The same object for the same environment: its token, for which a key is read and somebody is asked, serves registry
    and target alike, and is renewed by whoever needs it longer.

    Without a request of ours, google.auth.default() asks the network which project a federated identity belongs to, and
    fails where that API is not enabled. Nobody here needs to know. It warns of people's own credentials, as if this
    were a server.
    """
    return _found(quota_project, tuple(os.environ.get(name) for name in LOOKED_AT))


@cache
def _found(quota_project: str | None, looked_at: tuple[str | None, ...]) -> Any:
    import google.auth

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found, _ = google.auth.default(scopes=[SCOPE], request=asking(), quota_project_id=quota_project)
    return found


def asking() -> Any:
    """google-auth's way to ask over HTTP, with a time limit, and deaf to the question which project this is."""
    from google.auth.transport import Response
    from google.auth.transport.requests import Request

    class Unknown(Response):
        status = 404
        headers: ClassVar[dict[str, str]] = {}
        data = b"{}"

    class Asking(Request):
        def __call__(
            self,
            url: str,
            method: str = "GET",
            body: bytes | None = None,
            headers: Mapping[str, str] | None = None,
            timeout: float | None = TIMEOUT,
            **options: Any,
        ) -> Any:
            if (urlsplit(url).hostname or "").startswith("cloudresourcemanager."):
                return Unknown()
            ask: Any = super().__call__
            return ask(url, method, body, headers, timeout, **options)

    return Asking()
