"""Asking one revision, or the service from inside: by the tag's host name at the ingress, else through its pods."""

from __future__ import annotations

import random

from shipper.model import ProbeRequest, ProbeResponse, Revision
from shipper.targets import NotFound, NothingListens, Transient, asked_over_http
from shipper_targets.knative.addresses import answers_inside_only, host_of, tag_url
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.pods_of import RevisionPods, port_of
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.knative.traffic import routed
from shipper_targets.kubernetes.asking import Asking
from shipper_targets.kubernetes.values import Object


class Questions:
    """Remembers where a revision was found, so that asking it again costs one request."""

    def __init__(self, calls: Calls, own: KnativeSettings) -> None:
        self._calls = calls
        self._own = own
        self._urls: dict[str, str] = {}
        self._ports: dict[str, int] = {}

    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """Raises NotFound when there is no such revision, Transient when it does not answer.

        By its tag, which also wakes it up; where its name leads nowhere from here, one of its pods is asked.
        """
        url = self._urls.get(revision.name) or self._find(revision.name)
        if url:
            try:
                answer = self._at(url, request)
                return answer.model_copy(update={"revision": revision.name})
            except NothingListens:
                if self._own.address is not None:
                    raise
        return self._through_a_pod(revision, request)

    def ask(self, request: ProbeRequest) -> ProbeResponse:
        """As a client inside would: a revision by its share of the traffic, one of its pods.

        Raises Transient when it has none: nobody can wake it up from here.
        """
        weights = routed(self._calls.needed())
        if not weights:
            raise Transient("nothing is routed")
        names = sorted(weights)
        chosen = random.choices(names, [weights[name] for name in names])[0]  # noqa: S311 - a share, no secret
        return self._through_a_pod(Revision(name=chosen, release=None), request)

    def forget(self) -> None:
        """Tags may have moved: after each write of ours."""
        self._urls.clear()

    def _at(self, url: str, request: ProbeRequest) -> ProbeResponse:
        """At the ingress under the name that leads to this revision."""
        if self._own.address is not None:
            return asked_over_http(self._own.address, request, {"Host": host_of(url)}, proxies=False)
        return asked_over_http(url, request, {}, proxies=True)

    def _find(self, name: str) -> str:
        """Its tag's URL, or the service's when it has all of the traffic; "" when only its pods can be asked."""
        service = self._calls.needed()
        url = tag_url(service, name) or self._whole(service, name)
        if not url or answers_inside_only(url, self._own):
            return ""
        self._urls[name] = url
        return url

    def _whole(self, service: Object, name: str) -> str:
        status = service.get("status")
        url = status.get("url") if isinstance(status, dict) else None
        return str(url) if url and routed(service) == {name: 100} else ""

    def _through_a_pod(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        if revision.name not in self._ports:
            found = self._calls.revision(revision.name)
            if found is None:
                raise NotFound(f"there is no revision {revision.name}")
            self._ports[revision.name] = port_of(found)
        port = self._ports[revision.name]
        asking = Asking(self._calls.api, RevisionPods(self._calls), self._calls.name, port, _nobody)
        return asking.probe(revision, request)


def _nobody(release: str, number: int, workload: str) -> str:
    """Deployments' names are of no use here: the revision that is asked is known."""
    return workload
