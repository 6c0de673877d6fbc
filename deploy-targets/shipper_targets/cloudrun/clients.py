"""Google's clients, as the settings say: credentials, transport and endpoint. Made at first use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shipper.targets.google_auth import SCOPE, asking, default_credentials
from shipper_targets.cloudrun.google_errors import reading_credentials, translated
from shipper_targets.cloudrun.settings import CloudRunSettings

if TYPE_CHECKING:
    import grpc
    from google.auth.credentials import Credentials
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud import run_v2

_MESSAGES = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
"""A list of revisions has every release's record: gRPC's own limit of 4 MB is for others."""


class Clients:
    """What one target speaks through. Raises Denied when there are no credentials."""

    def __init__(self, own: CloudRunSettings) -> None:
        self._own = own
        self._making = threading.RLock()

    @cached_property
    def services(self) -> run_v2.ServicesClient:
        """Of the services."""
        from google.cloud import run_v2
        from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

        with self._making, translated("connect to the Cloud Run API"):
            if self._plain_grpc:
                return run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=self._channel))
            return run_v2.ServicesClient(**self._options)

    @cached_property
    def revisions(self) -> run_v2.RevisionsClient:
        """Of their revisions."""
        from google.cloud import run_v2
        from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport

        with self._making, translated("connect to the Cloud Run API"):
            if self._plain_grpc:
                return run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=self._channel))
            return run_v2.RevisionsClient(**self._options)

    @cached_property
    def session(self) -> AuthorizedSession:
        """Of the other APIs, which need no library of their own. Its token is renewed when it is too old."""
        from google.auth.transport.requests import AuthorizedSession

        return AuthorizedSession(self.credentials, auth_request=asking())  # type: ignore[no-untyped-call]

    @cached_property
    def credentials(self) -> Credentials:
        """Application default credentials, or those of the account to be impersonated."""
        import google.auth.credentials
        import google.auth.impersonated_credentials

        if self._own.credentials == "none":
            return google.auth.credentials.AnonymousCredentials()  # type: ignore[no-untyped-call]
        with self._making, reading_credentials("find Google credentials"):
            found: Credentials = default_credentials(self._own.quota_project)
            if self._own.impersonate is None:
                return found
            return google.auth.impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
                source_credentials=found,
                target_principal=self._own.impersonate,
                target_scopes=[SCOPE],
                quota_project_id=self._own.quota_project,
            )

    def url_of(self, host: str) -> str:
        """Where an API is: `https://<host>`, or the endpoint for all of them."""
        return self._own.endpoint or f"https://{host}"

    @property
    def _plain_grpc(self) -> bool:
        endpoint = self._own.endpoint or ""
        return self._own.transport == "grpc" and endpoint.startswith("http://")

    @property
    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"transport": self._own.transport, "credentials": self.credentials}
        if self._own.endpoint is not None:
            rest = self._own.transport == "rest"
            options["client_options"] = {
                "api_endpoint": self._own.endpoint if rest else urlsplit(self._own.endpoint).netloc
            }
        return options

    @cached_property
    def _channel(self) -> grpc.Channel:
        """Without TLS. gRPC gives no credentials away on such a channel, so the token is put there by us."""
        import grpc

        address = urlsplit(self._own.endpoint or "").netloc
        channel = grpc.insecure_channel(address, options=[*_MESSAGES, ("grpc.enable_http_proxy", 0)])
        if self._own.credentials == "none":
            return channel
        return grpc.intercept_channel(channel, _bearer(self._authorization))

    def _authorization(self) -> list[tuple[str, str]]:
        headers: dict[str, str] = {}
        with translated("renew the access token"):
            self.credentials.before_request(asking(), "POST", self._own.endpoint or "", headers)  # type: ignore[no-untyped-call]
        return [(name.lower(), value) for name, value in headers.items()]


def _bearer(metadata: Callable[[], list[tuple[str, str]]]) -> Any:
    """An interceptor that adds `metadata()` to each call."""
    import grpc

    class Bearer(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
        """Adds the token to each call."""

        def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            """See grpc.UnaryUnaryClientInterceptor."""
            merged = [*(details.metadata or ()), *metadata()]
            return continuation(details._replace(metadata=merged), request)

    return Bearer()
