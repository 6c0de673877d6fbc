"""Whether a BuildKit answers at a TCP address, and if not, why.

buildx tries for 20 seconds and says "context deadline exceeded", whatever it was. So we knock first: connect, TLS with
our certificate, and the first frame of HTTP/2 (a server that refuses a certificate says so only there with TLS 1.3).
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from shipper.errors import ConfigError, CredentialsError, ShipperError, UnreachableError
from shipper.images.builder_remote import host_of
from shipper.model.builder import RemoteBuilder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
"""RFC 9113, section 3.4: the preface and an empty SETTINGS frame."""
_SETTINGS = 4
_FRAME = 9
"""Bytes of a frame's head; the fourth is its type."""
_SIGNED = "set image.remote.cert and key to a pair that its authority has signed"


def knock(remote: RemoteBuilder, root: Path) -> None:
    """Returns when a BuildKit (or what speaks HTTP/2 like one) answers. Raises UnreachableError (33),
    CredentialsError (32) when it or its certificate is refused, ConfigError (2) for files that are no certificates."""
    context = None if remote.ca is None else _tls(remote, root)
    host, port = host_of(remote)
    try:
        with socket.create_connection((host, port), timeout=remote.start_timeout) as plain:
            if context is None:
                _greet(plain)
                return
            with context.wrap_socket(plain, server_hostname=remote.server_name or host) as secured:
                _greet(secured)
    except ssl.SSLError as error:
        raise _refused(remote.address, error) from error
    except OSError as error:
        raise UnreachableError(
            f"the builder at {remote.address} cannot be reached: {_words(error)}",
            hint="does buildkitd run there, and is the port open? image.remote.address says where",
        ) from error
    except _Odd as odd:
        raise odd.meaning(remote.address, secured=context is not None) from None


class _Odd(Exception):
    """It answered, but not as a BuildKit does."""

    def __init__(self, head: bytes) -> None:
        super().__init__(head)
        self.head = head

    def meaning(self, address: str, *, secured: bool) -> ShipperError:
        if secured and not self.head:
            return CredentialsError(
                f"the builder at {address} does not accept our certificate: it hung up after the TLS handshake",
                hint=_SIGNED,
            )
        wants_tls = not secured and (not self.head or self.head[:1] == b"\x15" or self.head.startswith(b"HTTP/1."))
        if wants_tls:
            return UnreachableError(
                f"what listens at {address} is no BuildKit, or one that wants TLS",
                hint="for TLS set image.remote.ca (and cert and key)",
            )
        return UnreachableError(
            f"what listens at {address} is no BuildKit", hint="image.remote.address is the address of buildkitd"
        )


def _greet(stream: socket.socket) -> None:
    stream.sendall(PREFACE)
    head = b""
    while len(head) < _FRAME:
        received = stream.recv(_FRAME - len(head))
        if not received:
            break
        head += received
    if len(head) < _FRAME or head[3] != _SETTINGS:
        raise _Odd(head)


def _tls(remote: RemoteBuilder, root: Path) -> ssl.SSLContext:
    from shipper.images.builder import file_of

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    try:
        context.load_verify_locations(file_of(remote.ca or "", root))
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"image.remote.ca: no certificate in {remote.ca}", hint="it must be a PEM file: -----BEGIN CERTIFICATE-----"
        ) from error
    if remote.cert is not None and remote.key is not None:
        try:
            context.load_cert_chain(file_of(remote.cert, root), file_of(remote.key, root), password=_no_question)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ConfigError(
                f"image.remote.cert and key do not belong together, or are no PEM files: {remote.cert}, {remote.key}",
                hint="a key must be there without a passphrase: buildx cannot ask for one either",
            ) from error
    return context


def _no_question() -> str:
    raise ValueError("the key has a passphrase")


def _refused(address: str, error: ssl.SSLError) -> ShipperError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return CredentialsError(
            f"the certificate of the builder at {address} is not accepted: {error.verify_message}",
            hint="image.remote.ca must be its authority, server_name a name in it",
        )
    reason = (error.reason or "").lower().replace("_", " ")
    if "alert" in reason and any(word in reason for word in ("certificate", "unknown ca", "access denied", "decrypt")):
        return CredentialsError(
            f"the builder at {address} does not accept our certificate: {reason}",
            hint=_SIGNED,
        )
    return UnreachableError(
        f"the builder at {address} does not speak TLS with us: {reason or error}",
        hint="for one without TLS remove image.remote.ca, cert, key and server_name",
    )


def _words(error: OSError) -> str:
    return "it did not answer in time" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
