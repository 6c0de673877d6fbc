"""The connection to one cluster as one user: TLS, proxy, pool and credentials, by the official client's configuration.

`kubernetes` takes half a second to import: it happens at a target's first call.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shipper.errors import ShipperError
from shipper.model.context import Cancellation
from shipper.targets import Denied, PlatformError, Transient
from shipper_targets.kubernetes.contexts import impersonated, minimal
from shipper_targets.kubernetes.credentials import Silent, ask_plugin
from shipper_targets.kubernetes.kube_errors import one_line
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.usable import (
    authorization,
    ended_on,
    require_certificates,
    require_no_gone_provider,
    require_shape,
)

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

CONNECTING = 5.0
"""Seconds until a connection has to be there."""

_CONNECTIONS = 16
_RENEW_BEFORE = 60.0
"""Seconds before its end that a credential is asked for again."""

_QUIET = 60.0
"""Seconds that a plugin which has never answered is not asked again: it has cost its whole deadline once."""


class Connection:
    """What requests are sent through. Safe for threads; credentials are renewed before they end."""

    def __init__(self, own: KubernetesSettings, cancel: Cancellation | None = None) -> None:
        self._own = own
        self._cancel = cancel
        self._making = threading.Lock()
        self._made: _Made | None = None
        self._failed: tuple[float, Denied] | None = None

    @property
    def who(self) -> str:
        """For messages: the context, or the cluster that we run in."""
        return "the cluster we run in" if self._own.in_cluster else f"context {self._own.context}"

    @property
    def _hint(self) -> str:
        """After credentials that cannot be used: nobody but their owner can do something."""
        if self._own.in_cluster:
            return "look at the ServiceAccount that this runs as, and at its token"
        return f"correct the kubeconfig, or log in again, until `kubectl --context {self._own.context} version` works"

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,
        *,
        proxied: bool = False,
    ) -> BaseHTTPResponse:
        """One request; the body of the answer is not read yet. `url` is a path with its query.

        A 401 is answered by asking a credential plugin again, once: nothing was carried out. What is `proxied` may be
        the 401 of somebody else, who has carried out what he likes. Raises Transient when nothing answers, Denied for
        TLS and credentials that cannot be used.
        """
        made = self._current()
        response = self._sent(made, method, url, headers, body, timeout)
        if response.status == 401 and made.renewable and not proxied:
            response.drain_conn()
            return self._sent(self._renewed(made), method, url, headers, body, timeout)
        return response

    def refused(self) -> str:
        """What to say besides after a 401: what is known of the credentials that were not accepted."""
        made = self._made
        if made is None:
            return self.who
        ended = ended_on(made.configuration.cert_file)
        if ended:
            return f"{self.who}: its client certificate expired on {ended}: renew it"
        return f"{self.who}: log in again, or renew its token or certificate"

    def _sent(
        self, made: _Made, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> BaseHTTPResponse:
        import urllib3

        sent = urllib3.HTTPHeaderDict([*headers.items(), *self._proof(made)])  # a group each has a line of its own
        limits = urllib3.Timeout(connect=min(CONNECTING, timeout), read=timeout)
        try:
            return made.pool.request(  # type: ignore[no-any-return]
                method,
                made.configuration.host + url,
                body=body or None,
                headers=sent,
                timeout=limits,
                preload_content=False,
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise self.broken(error) from error
        except ValueError:
            # Its words have the value that it refuses, and so has its traceback.
            raise Denied(f"{self.who}: a header of the request cannot be sent") from None

    def _proof(self, made: _Made) -> list[tuple[str, str]]:
        try:
            return made.authorization()
        except PlatformError as error:
            error.hint = self._hint
            raise
        except Exception as error:  # noqa: BLE001 - reads a file, or renews a login, which let everything through
            raise Denied(f"{self.who}: its credentials cannot be used: {type(error).__name__}") from None

    def broken(self, error: BaseException) -> Denied | Transient:
        """What went wrong below HTTP, as an error of ours."""
        from ssl import SSLCertVerificationError, SSLError

        from shipper.targets import caused_by

        words = one_line(error)
        host = self._made.configuration.host if self._made is not None else ""
        if caused_by(error, SSLCertVerificationError):
            return Denied(f"{self.who}: the certificate of {host} is not to be trusted: {words}")
        if caused_by(error, SSLError) and "certificate" in words.lower():
            return Denied(f"{self.who}: {host} refuses our certificate: {words}")
        return Transient(f"{self.who}: {host} does not answer: {words}")

    def _current(self) -> _Made:
        return self._making_sure(lambda: self._made is None or self._made.about_to_end())

    def _renewed(self, old: _Made) -> _Made:
        return self._making_sure(lambda: self._made is old)

    def _making_sure(self, needs_another: Callable[[], bool]) -> _Made:
        """One asks for credentials, all others wait for what comes of it."""
        came, was_cancelled = time.monotonic(), self._cancel is not None and self._cancel.cancelled
        with self._making:
            if needs_another():
                if self._cancel is not None and not was_cancelled:
                    self._cancel.check()
                self._refuse_what_failed(came)
                self._made = self._make_now()
            assert self._made is not None
            return self._made

    def _make_now(self) -> _Made:
        try:
            return _make(self._own, self._cancel)
        except Denied as error:
            error.hint = self._hint
            self._failed = (time.monotonic(), error)
            raise

    def _refuse_what_failed(self, came: float) -> None:
        """Raises Denied again where it was said while we waited, or where a plugin never says anything."""
        if self._failed is None:
            return
        when, error = self._failed
        if when >= came or (isinstance(error, Silent) and self._made is None and time.monotonic() < when + _QUIET):
            again = type(error)(str(error))
            again.hint = error.hint
            raise again


class _Made:
    """A configuration of the client's, and the connections made with it."""

    def __init__(
        self,
        configuration: Any,
        *,
        expires: float | None,
        renewable: bool,
        whose: str,
        impersonated: Sequence[tuple[str, str]] = (),
    ) -> None:
        from kubernetes.client.rest import RESTClientObject

        self.configuration = configuration
        self.renewable = renewable
        self._expires = expires
        self._whose = whose
        self._impersonated = impersonated
        self.pool: Any = RESTClientObject(configuration).pool_manager

    def authorization(self) -> list[tuple[str, str]]:
        """The headers that say who asks, and as whom; a service account's token is read from its file again every
        minute. Raises Denied.
        """
        settings = self.configuration.auth_settings()
        mine = [
            (str(one["key"]), authorization(str(one["value"]), self._whose))
            for one in settings.values()
            if one.get("value")
        ]
        return [*mine, *self._impersonated]

    def about_to_end(self) -> bool:
        """Whether the plugin has to be asked again."""
        return self._expires is not None and time.time() > self._expires - _RENEW_BEFORE


def _make(own: KubernetesSettings, cancel: Cancellation | None) -> _Made:
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, load_incluster_config, load_kube_config_from_dict

    configuration = Configuration()
    configuration.retries = False
    configuration.connection_pool_maxsize = _CONNECTIONS
    configuration.socket_options = _socket_options()
    try:
        if own.in_cluster:
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            return _Made(configuration, expires=None, renewable=True, whose="the service account")
        config = minimal(own)
        require_shape(config)
        renewable, expires = _plugged(config, str(own.context), cancel)
        load_kube_config_from_dict(  # type: ignore[no-untyped-call]
            config, context=own.context, client_configuration=configuration, persist_config=False
        )
        _proxy_as_kubectl(configuration, config)
        cluster, user = config["clusters"][0]["name"], config["users"][0]
        require_certificates(configuration, cluster, user["name"])
        others = impersonated(user["user"])
        whose = f"user {user['name']}"
        return _Made(configuration, expires=expires, renewable=renewable, whose=whose, impersonated=others)
    except (PlatformError, ShipperError):
        raise
    except UnicodeError:  # has the text in it
        raise Denied(
            f"context {own.context} cannot be used: name or password has a character that cannot be sent"
        ) from None
    except (ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # The loader checks little of what it reads.
        place = "in-cluster credentials" if own.in_cluster else f"context {own.context}"
        raise Denied(f"{place} cannot be used: {one_line(error)}") from error
    except Exception as error:  # noqa: BLE001 - renewing a login lets everything through, with what was sent
        raise Denied(f"context {own.context} cannot be used: {type(error).__name__}: log in again") from None


def _plugged(config: dict[str, Any], context: str, cancel: Cancellation | None) -> tuple[bool, float | None]:
    """Put what the credential plugin says in the place of the plugin; whether there is one, and when that ends."""
    user = config["users"][0]["user"]
    require_no_gone_provider(user, context)
    # The order is kubectl's: a token or an auth-provider wins over a plugin.
    if not user.get("exec") or user.get("token") or user.get("tokenFile") or user.get("auth-provider"):
        return False, None
    found = ask_plugin(user.pop("exec"), config["clusters"][0]["cluster"], context, cancel)
    if found.token:
        user["token"] = found.token
    if found.certificate:
        user["client-certificate-data"] = base64.b64encode(found.certificate.encode()).decode()
        user["client-key-data"] = base64.b64encode(found.key.encode()).decode()
    return True, found.expires


def _proxy_as_kubectl(configuration: Any, config: Mapping[str, Any]) -> None:
    """This machine itself is never asked through a proxy of the environment (Go's httpproxy does the same)."""
    host = urlsplit(configuration.host).hostname or ""
    here = host == "localhost" or host == "::1" or host.startswith("127.")
    if here and not config["clusters"][0]["cluster"].get("proxy-url"):
        configuration.proxy = None


def _socket_options() -> list[tuple[int, int, int]]:
    """A connection whose other end is gone is found within 25 s: a watch may say nothing for longer."""
    import socket

    from urllib3.connection import HTTPConnection

    options: list[Any] = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options
