"""Whether credentials can be used at all: looked at before a library does, which would print what it refuses. Pure but
for the certificates, which are files.

No message has a value in it.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shipper.targets import Denied
from shipper_targets.kubernetes.kube_errors import one_line

_HEADER = re.compile(r"[\x20-\x7e]+")
"""What may stand in a header that proves who asks (RFC 9110, 11.4, with RFC 6750, 2.1)."""

_VALIDITY = re.compile(rb"\x30[\x1e\x20\x22](?:\x17\x0d\d{12}Z|\x18\x0f\d{14}Z)(\x17\x0d\d{12}Z|\x18\x0f\d{14}Z)")
"""The times of an X.509 certificate in DER (RFC 5280, 4.1.2.5): UTCTime or GeneralizedTime, twice."""

_TEXTS = {
    "cluster": ("server", "certificate-authority", "certificate-authority-data", "proxy-url", "tls-server-name"),
    "user": ("token", "tokenFile", "client-certificate", "client-certificate-data", "client-key", "client-key-data",
             "username", "password"),
}  # fmt: skip
_MAPPINGS = {"cluster": (), "user": ("auth-provider", "exec")}


def require_shape(config: Mapping[str, Any]) -> None:
    """Of a kubeconfig with one of each. Raises Denied for an entry of cluster or user that is not what it has to be."""
    for what, texts in _TEXTS.items():
        named = config[f"{what}s"][0]
        entry = named[what]
        for name in texts:
            _require(entry, name, str, f"{name} of {what} {named['name']} has to be text")
        for name in _MAPPINGS[what]:
            _require(entry, name, Mapping, f"{name} of {what} {named['name']} has to be a mapping")


def require_no_gone_provider(user: Mapping[str, Any], context: str) -> None:
    """Raises Denied for what kubectl has given up, with what has taken its place."""
    provider = (user.get("auth-provider") or {}).get("name")
    if provider not in (None, "oidc"):
        instead = "gke-gcloud-auth-plugin" if provider == "gcp" else "the credential plugin of whoever runs the cluster"
        raise Denied(
            f"context {context}: auth-provider {provider} is gone from Kubernetes: use a credential plugin (exec), "
            f"such as {instead}"
        )


def authorization(value: str, whose: str) -> str:
    """The header's value, without the line break that the file of a token ends in. Raises Denied."""
    cut = value.removesuffix("\n").removesuffix("\r")
    if not _HEADER.fullmatch(cut):
        raise Denied(
            f"the token of {whose} is not valid: it has a line break, or a character that no token has; "
            "log in again, or write it anew"
        )
    return cut


def require_certificates(configuration: Any, cluster: str, user: str) -> None:
    """Raises Denied for files that are none: said later they would look like a server that refuses ours."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if configuration.ssl_ca_cert:
        try:
            trusting.load_verify_locations(configuration.ssl_ca_cert)
        except ssl.SSLError as error:
            raise Denied(f"certificate-authority of cluster {cluster} is no certificate: {one_line(error)}") from error
    if configuration.cert_file:
        try:
            trusting.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
        except ssl.SSLError as error:
            raise Denied(
                f"the client certificate of user {user} cannot be used: it or its key is no PEM, or they do not belong "
                f"together ({one_line(error)})"
            ) from error


def ended_on(cert_file: str | None) -> str:
    """The day on which a client certificate ended; empty when it has not, or cannot be read."""
    if not cert_file:
        return ""
    try:
        text = Path(cert_file).read_text()
        first = text[: text.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")]
        found = _VALIDITY.search(ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN CERTIFICATE-----") :]))
    except (OSError, ValueError):
        return ""
    if found is None:
        return ""
    digits = found[1][2:-1].decode()
    # Two digits of a year mean 1950 to 2049 (RFC 5280, 4.1.2.5.1).
    whole = digits if len(digits) == 14 else ("19" if digits[:2] >= "50" else "20") + digits
    end = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return end.date().isoformat() if end < datetime.now(UTC) else ""


def _require(entry: Mapping[str, Any], name: str, kind: type, words: str) -> None:
    if entry.get(name) is not None and not isinstance(entry[name], kind):
        raise Denied(words)
