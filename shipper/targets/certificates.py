"""The certificate store for requests to services, read once: it takes 20 ms, which a plain connection need not pay."""

from __future__ import annotations

import os
import ssl
from functools import cache
from urllib.parse import urlsplit


def verify_for(url: str, *, environment: bool) -> ssl.SSLContext | bool:
    """What httpx's `verify` gets for this address; `environment`: SSL_CERT_FILE and SSL_CERT_DIR count.

    False only where nothing is encrypted. Raises OSError for a store that cannot be read.
    """
    if urlsplit(url).scheme.lower() != "https":
        return False
    named = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")) if environment else (None, None)
    return _store(*named)


@cache
def _store(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """httpx looks at the same variables itself."""
    import httpx

    return httpx.create_ssl_context(trust_env=bool(_file or _folder))
