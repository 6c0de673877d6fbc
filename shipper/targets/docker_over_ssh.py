"""The docker SDK's API client over ssh: through the system's client, or through the library where there is none.

The SDK's own transport starts an ssh client with a login of its own for every call, forgets its errors, and has no
time limit. Here calls share one login and are kept open for the next one, and what ssh said becomes an SshFailed.
"""

from __future__ import annotations

import http.client
from typing import Any

import urllib3
import urllib3.connection
from docker import APIClient
from docker.transport.basehttpadapter import BaseHTTPAdapter

from shipper.processes.ssh import GREETING, SshLine
from shipper.processes.ssh_call import CONNECT, Call
from shipper.processes.ssh_failure import SshFailed, why_it_ended
from shipper.processes.ssh_host import SshHost

_MOST_OPEN = 8
"""Calls that are kept open: an ssh server takes ten over one login (MaxSessions), the first one is not for us."""

_NOWHERE = "unix:///var/empty/docker.sock"
"""For the SDK's constructor, which connects nowhere when it is told the API's version."""
_ANY_VERSION = "1.40"


class LineApi(APIClient):
    """Calls over an SshLine. Each is a real socket, so that streams and time limits are as with a local engine."""

    def __init__(self, line: SshLine, timeout: float | None) -> None:
        super().__init__(base_url=_NOWHERE, version=_ANY_VERSION, timeout=timeout)  # type: ignore[arg-type]
        self.line = line
        self.base_url = "http+docker://over-ssh"
        self.mount("http+docker://", _LineAdapter(line, timeout))
        self._version = str(self.version(api_version=False)["ApiVersion"])


class LibraryApi(APIClient):
    """Calls through the library that the extra `ssh` brings: no ~/.ssh/config but for names and keys, no jumps."""

    def __init__(self, address: str, host: SshHost, timeout: float | None) -> None:
        super().__init__(base_url=_NOWHERE, version=_ANY_VERSION, timeout=timeout)  # type: ignore[arg-type]
        self.machine = host.name
        self.base_url = "http+docker://ssh"  # by this name the SDK knows how to find the channel of a stream
        self.mount("http+docker://", _library_adapter(address, host, timeout))
        self._version = str(self.version(api_version=False)["ApiVersion"])


class _LineAdapter(BaseHTTPAdapter):
    """requests' view of it: one pool, whatever the URL."""

    def __init__(self, line: SshLine, timeout: float | None) -> None:
        super().__init__()
        self._pool = _Pool(line, timeout)

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        return self._pool

    def request_url(self, request: Any, proxies: Any) -> str:
        return str(request.path_url)

    def close(self) -> None:
        super().close()
        self._pool.close()


class _Pool(urllib3.HTTPConnectionPool):
    def __init__(self, line: SshLine, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout, maxsize=_MOST_OPEN)
        self._line = line

    def _new_conn(self) -> Any:
        return _Connection(self._line, self.timeout.connect_timeout)


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, line: SshLine, timeout: Any) -> None:
        super().__init__("localhost", timeout=timeout)
        self._line = line
        self._call: Call | None = None

    def connect(self) -> None:
        self.sock, self._call = self._line.engine()
        self.sock.settimeout(self.timeout)

    @property
    def is_connected(self) -> bool:
        """Not when the line was hung up meanwhile: then the next call connects anew."""
        return self.sock is not None and self.sock.fileno() >= 0 and super().is_connected

    def getresponse(self) -> Any:
        try:
            return super().getresponse()
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            # The socket closed without an answer: ssh, or docker there, has said why.
            why = self._call.failure() if self._call is not None else self._line.failure()
            raise (why or error) from error


def _library_adapter(address: str, host: SshHost, timeout: float | None) -> Any:
    """The SDK's adapter for paramiko, with time limits and with what went wrong as SshFailed."""
    import paramiko
    from docker.transport import SSHHTTPAdapter

    class Bounded(SSHHTTPAdapter):
        def _create_paramiko_client(self, base_url: str) -> None:
            super()._create_paramiko_client(base_url)  # type: ignore[misc]
            self.ssh_params.update(timeout=CONNECT, banner_timeout=CONNECT, auth_timeout=GREETING)  # type: ignore[attr-defined]

    try:
        return Bounded(address, timeout=timeout)  # type: ignore[arg-type]
    except paramiko.BadHostKeyException as error:
        raise why_it_ended("remote host identification has changed", 255, host) from error
    except (paramiko.SSHException, OSError) as error:
        raise _as_failed(error, host) from error


def _as_failed(error: Exception, host: SshHost) -> SshFailed:
    said = str(error) or type(error).__name__
    return why_it_ended(said, 255, host)
