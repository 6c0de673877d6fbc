"""Asking one revision: by the URL of its tag, or the service's own when it has all of the traffic."""

from __future__ import annotations

from shipper.model import ProbeRequest, ProbeResponse, Revision
from shipper.targets import Denied, NotFound, Transient, asked_over_http, retry_transient
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.identity import Identity
from shipper_targets.cloudrun.observing import answers_inside_only
from shipper_targets.cloudrun.traffic import routed, tags


class Questions:
    """Remembers where a revision was found, so that asking it again costs one request."""

    def __init__(self, api: Api, identity: Identity) -> None:
        self._api = api
        self._identity = identity
        self._urls: dict[str, tuple[str, str]] = {}

    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """Raises NotFound when it is not reachable, Transient when it does not answer, Denied when we may not ask.

        Where everybody may ask, no token is made: not all credentials can make one.
        """
        url, audience = self._urls.get(revision.name) or self._find(revision.name)
        headers = self._identity.headers(audience) if audience else {}
        # The environment's proxies are for public addresses, and these have TLS.
        return asked_over_http(url, request, headers, proxies=url.startswith("https:"))

    def authorization(self) -> dict[str, str]:
        """For the service's own address; nothing where everybody may ask."""
        service = retry_transient(self._api.service)
        if service is None:
            raise NotFound("there is no service to be let in to")
        return {} if service.invoker_iam_disabled else self._identity.headers(service.uri)

    def _find(self, name: str) -> tuple[str, str]:
        """The revision's URL, and whom a token for it is for: empty where nobody is asked who they are."""
        service = retry_transient(self._api.service)
        if service is None:
            raise NotFound(f"{name} is gone with its service")
        if service.default_uri_disabled:
            raise Denied("its service's default URL is disabled, and a tag's with it")
        if answers_inside_only(service):  # what the release itself asks for comes with its traffic
            raise Denied("its service answers inside its network only, now")
        audience = "" if service.invoker_iam_disabled else service.uri
        tagged = [one.uri for one in service.traffic_statuses if one.tag and one.revision == name and one.uri]
        if tagged:
            self._urls[name] = tagged[0], audience  # a tag's URL is its for as long as the tag is
            return self._urls[name]
        if routed(service) == {name: 100}:
            return service.uri, audience
        if name in tags(service).values():
            raise Transient(f"{name} has a tag that is not routed: it does not answer")
        raise NotFound(f"{name} has no tag and not all of the traffic: nobody can ask it alone")

    def forget(self) -> None:
        """Tags may have moved: after each write of ours."""
        self._urls.clear()
