"""One HTTP request to one revision, for adapters whose revisions have an address."""

from __future__ import annotations

from collections.abc import Mapping

from shipper.errors import Transient
from shipper.model import ProbeRequest, ProbeResponse
from shipper.targets.certificates import verify_for
from shipper.targets.silence import why_silent


class NothingListens(Transient):
    """No connection was made."""


def asked_over_http(url: str, request: ProbeRequest, headers: Mapping[str, str], *, proxies: bool) -> ProbeResponse:
    """The answer of `url`; `headers` come before the request's own, `proxies`: those of the environment may be used.

    Raises Transient when no answer comes in time, NothingListens when there is nobody to answer.
    """
    import httpx

    ours = {name.lower() for name in headers}
    own = {name: value for name, value in request.headers.items() if name.lower() not in ours}
    try:
        verify = verify_for(url, environment=proxies)
        with httpx.Client(timeout=request.timeout, verify=verify, trust_env=proxies) as client:
            answer = client.request(
                request.method, url + request.path, headers={**own, **headers}, content=request.body
            )
    except httpx.ConnectError as error:
        raise NothingListens(f"{url}: {why_silent(error, url, request.timeout)}") from error
    except (httpx.HTTPError, OSError) as error:
        raise Transient(f"{url}: {why_silent(error, url, request.timeout)}") from error
    return ProbeResponse(status=answer.status_code, headers=dict(answer.headers), body=answer.content)
