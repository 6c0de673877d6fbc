"""Google's other APIs, over plain REST: no further libraries for a handful of calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shipper.targets import Transient
from shipper_targets.cloudrun.clients import Clients
from shipper_targets.cloudrun.google_errors import check_response, translated

if TYPE_CHECKING:
    import requests

TIMEOUT = 10.0
"""Seconds for one call."""


class Rest:
    """Reads only. Raises Denied, NotFound, Invalid, Transient."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def get(self, doing: str, host: str, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON at `https://<host><path>`."""
        return self._ask(doing, "GET", self._clients.url_of(host) + path, params=dict(params or {}))

    def post(self, doing: str, host: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON that comes back for a JSON body."""
        return self._ask(doing, "POST", self._clients.url_of(host) + path, json=dict(body))

    def _ask(self, doing: str, method: str, url: str, **options: Any) -> dict[str, Any]:
        with translated(doing):
            response: requests.Response = self._clients.session.request(  # type: ignore[no-untyped-call]
                method, url, timeout=TIMEOUT, **options
            )
        check_response(doing, response)
        try:
            answer = response.json()
        except ValueError as error:
            raise Transient(f"{doing}: the answer is no JSON") from error
        if not isinstance(answer, dict):
            raise Transient(f"{doing}: the answer is no JSON object")
        return answer
