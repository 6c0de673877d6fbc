"""The conformance suite's rig on a project of Google Cloud: every place is a service of its own in one project.

The places of the rig (tests/conformance/cloudrun_rig.py) are projects with nothing in them; here the names keep them
apart: `contract-<run>-<n>`, or what a scenario calls its service, `-<run>-<n>`. Addresses are the platform's own.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import Any

import httpx

from shipper.targets import Authorizes
from shipper.targets.conformance import Answer, Values
from tests.conformance.cloudrun_place import ServicePlace, ServiceRig, Transport
from tests.contract.by_hand import SECRETS, ByHand
from tests.contract.images import Images
from tests.contract.project import LABEL, PREFIX, Project

PROPAGATION = 60.0
"""Seconds in which every front end must have what the API says is routed; it takes a few."""

LOOK = 1.0
"""Seconds between two questions what is routed: the suite's users ask far more often than the API may be asked."""

_COUNT = itertools.count(1)


class ContractRig(ServiceRig):
    """Places in one project. Nothing is asked of Google before one is used."""

    def __init__(self, project: Project, transport: Transport, images: Images) -> None:
        self._project, self._transport, self._images = project, transport, images

    @property
    def kind(self) -> str:
        return f"cloudrun {self._project.project}, {self._transport}"

    def place(self, service: str = "") -> ContractPlace:
        return ContractPlace(self._project, self._transport, service or PREFIX, self._images)


class ContractPlace(ServicePlace):
    """A service of its own in the project that everybody uses."""

    by_hand: ByHand

    def __init__(self, project: Project, transport: Transport, service: str, images: Images) -> None:
        self._project, self._transport = project, transport
        self._secrets: set[str] = set()
        self._tokens: dict[str, dict[str, str]] = {}
        self._routed: tuple[float, str, frozenset[str]] = (0.0, "", frozenset())
        super().__init__(service, f"{project.run}-{next(_COUNT)}", images, ByHand(project))

    @property
    def own(self) -> Mapping[str, Any]:
        return self._project.own(self._transport)

    @property
    def repository(self) -> str:
        return self._project.package

    @property
    def startup(self) -> float:
        return self._project.startup

    def ask(self, path: str = "/") -> Answer:
        """Answers of revisions that are not routed any more, and pages of front ends that know nothing of the service
        yet, are waited out; an answer that fails is what a user got."""
        deadline = time.monotonic() + PROPAGATION
        while True:
            uri, routed = self._routes()
            answer = self._get(uri, path)
            late = answer.revision not in routed if answer.revision else answer.status == 404
            if not late or not routed or time.monotonic() >= deadline:
                break
            time.sleep(0.2)
        if answer.status == 404 and not answer.revision:
            raise OSError("nothing is routed there")
        return answer

    def close(self) -> None:
        self.by_hand.delete_service(self.name)
        for secret in self._secrets:
            status, said = self.by_hand.ask("DELETE", SECRETS, f"projects/{self._project.project}/secrets/{secret}")
            assert status in (200, 404), said

    def store_secret(self, name: str, value: str) -> str:
        """A version more of a secret of this place. Revisions' account must be able to read it: by the project."""
        import base64

        secret = f"{PREFIX}-{self._environment}-{name}"
        parent = f"projects/{self._project.project}/secrets"
        body = {"replication": {"automatic": {}}, "labels": {LABEL: self._project.run}}
        status, said = self.by_hand.ask("POST", SECRETS, parent, body, secretId=secret)
        assert status in (200, 409), said
        self._secrets.add(secret)
        data = base64.b64encode(value.encode()).decode()
        self.by_hand.needed("POST", SECRETS, f"{parent}/{secret}:addVersion", {"payload": {"data": data}})
        return f"secret-manager:{secret}"

    # The address.

    def _routes(self) -> tuple[str, frozenset[str]]:
        """The address, and who may answer there: as it was asked for less than a second ago."""
        at, uri, routed = self._routed
        if time.monotonic() - at < LOOK:
            return uri, routed
        service = self.by_hand.service(self.name)
        if service is None:
            self._routed = (0.0, "", frozenset())
            raise OSError("there is no such service")
        statuses = service.get("trafficStatuses", [])
        found = frozenset(str(one.get("revision", "")).rpartition("/")[2] for one in statuses)
        self._routed = (time.monotonic(), service["uri"], found - {""})
        return self._routed[1:]

    def _get(self, uri: str, path: str) -> Answer:
        try:
            answer = httpx.get(uri + path, headers=self._headers(uri), timeout=30, trust_env=uri.startswith("https:"))
        except httpx.HTTPError as error:
            raise OSError(f"no answer: {error}") from error
        return Answer(answer.status_code, answer.content, answer.headers.get("X-Shipper-Revision") or None)

    def _headers(self, uri: str) -> dict[str, str]:
        """An identity token where one is asked for, made by the adapter, and kept: the address is asked a lot."""
        if self._project.access == "public":
            return {}
        if uri not in self._tokens:
            target = self.target(self.settings(), Values({}))
            assert isinstance(target, Authorizes)
            self._tokens[uri] = dict(target.authorization())
        return self._tokens[uri]
