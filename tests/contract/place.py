"""The conformance suite's rig on a project of Google Cloud: every place is a service of its own in one project.

The places of the rig (tests/conformance/cloudrun_rig.py) are projects with nothing in them; here the names keep them
apart: `contract-<run>-<n>`, or what a scenario calls its service, `-<run>-<n>`. Addresses are the platform's own.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

import httpx

from shipper.model import ImageRef, Settings, TargetSettings
from shipper.model.context import Secrets
from shipper.model.target import Traits
from shipper.targets import Authorizes, Target, TargetContext
from shipper.targets.conformance import Answer, Ended, ImageKind, Kill, Run, Values, powers_of, run_in_child
from shipper_targets.cloudrun import kind
from shipper_targets.cloudrun.names import names_of
from shipper_targets.cloudrun.settings import CloudRunSettings
from tests.contract.by_hand import RUN, SECRETS, ByHand
from tests.contract.images import Images
from tests.contract.project import LABEL, PREFIX, Project, Transport

PROPAGATION = 60.0
"""Seconds in which every front end must have what the API says is routed; it takes a few."""

LOOK = 1.0
"""Seconds between two questions what is routed: the suite's users ask far more often than the API may be asked."""

_COUNT = itertools.count(1)


class ContractRig:
    """Implements shipper.targets.conformance.Rig. Nothing is asked of Google before a place is used."""

    def __init__(self, project: Project, transport: Transport, images: Images) -> None:
        self._project, self._transport, self._images = project, transport, images

    @property
    def kind(self) -> str:
        return f"cloudrun {self._project.project}, {self._transport}"

    @property
    def traits(self) -> Traits:
        return kind.traits

    @property
    def powers(self) -> frozenset[type]:
        place = self.fresh()
        return powers_of(place.target(place.settings(), Values({})), place)

    def fresh(self, service: str = "") -> ContractPlace:
        return ContractPlace(self._project, self._transport, service or PREFIX, self._images)


class ContractPlace:
    """Implements Place, Drifts, LosesStamp, LosesImages, LosesRevisions, StoresSecrets, Adopts and KillsProcesses."""

    def __init__(self, project: Project, transport: Transport, service: str, images: Images) -> None:
        self._project, self._transport, self._service = project, transport, service
        self._images: Images | None = images
        self._environment = f"{project.run}-{next(_COUNT)}"
        self._by_hand = ByHand(project)
        self._secrets: set[str] = set()
        self._tokens: dict[str, dict[str, str]] = {}
        self._routed: tuple[float, str, frozenset[str]] = (0.0, "", frozenset())

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_images": None}

    @property
    def chosen(self) -> TargetSettings:
        return TargetSettings(name="run", kind="cloudrun", settings=self._project.own(self._transport))

    @property
    def name(self) -> str:
        """Of the Cloud Run service, in full."""
        own = CloudRunSettings.model_validate(self._project.own(self._transport))
        return names_of(self.settings(), own).service

    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "service": {"service": self._service, "environment": self._environment, "root": "/"},
                "image": {"repository": self._project.package},
                "health": {"startup": self._project.startup, "timeout": 1},
                "run": {"secrets_as": "environment"},
            }
        )

    def target(self, settings: Settings, secrets: Secrets) -> Target:
        return kind.connect(TargetContext(self.chosen.name, settings, self.chosen.settings, secrets))

    def image(self, kind: ImageKind, text: str = "") -> ImageRef:
        assert self._images is not None, "a run's own process makes no images"
        return self._images(kind, text)

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

    def leaks(self) -> Sequence[str]:
        """Tags that nobody needs: a revision that has one is billed its minimum."""
        service = self._by_hand.service(self.name)
        traffic = service.get("traffic", []) if service else []
        return [f"tag {found['tag']}" for found in traffic if found.get("tag") and not found.get("percent")]

    def close(self) -> None:
        self._by_hand.delete_service(self.name)
        for secret in self._secrets:
            status, said = self._by_hand.ask("DELETE", SECRETS, f"projects/{self._project.project}/secrets/{secret}")
            assert status in (200, 404), said

    def run(self, run: Run, kill: Kill) -> Ended:
        return run_in_child(self, run, kill)

    # By hand.

    def store_secret(self, name: str, value: str) -> str:
        """A version more of a secret of this place. Revisions' account must be able to read it: by the project."""
        import base64

        secret = f"{PREFIX}-{self._environment}-{name}"
        parent = f"projects/{self._project.project}/secrets"
        body = {"replication": {"automatic": {}}, "labels": {LABEL: self._project.run}}
        status, said = self._by_hand.ask("POST", SECRETS, parent, body, secretId=secret)
        assert status in (200, 409), said
        self._secrets.add(secret)
        data = base64.b64encode(value.encode()).decode()
        self._by_hand.needed("POST", SECRETS, f"{parent}/{secret}:addVersion", {"payload": {"data": data}})
        return f"secret-manager:{secret}"

    def drift(self) -> None:
        """Another variable, as the console does it: a new revision with a name that the platform makes."""
        service = self._needed()
        template = service["template"]
        template.pop("revision", None)
        template["containers"][0].setdefault("env", []).append({"name": "BY_HAND", "value": "yes"})
        self._patch(service, "template")

    def lose_stamp(self) -> None:
        service = self._needed()
        annotations = service["annotations"]
        service["annotations"] = {name: text for name, text in annotations.items() if name != "shipper.dev/stamp"}
        self._patch(service, "annotations")

    def lose_image(self, image: ImageRef) -> None:
        assert self._images is not None
        self._images.forget(image)

    def lose_revision(self, name: str) -> None:
        begun = self._by_hand.needed("DELETE", RUN, f"{self.name}/revisions/{name}")
        ended = self._by_hand.ended(begun)
        assert "error" not in ended, ended

    def adopt(self, text: str) -> None:
        container = {"image": self.image("good", text).reference, "ports": [{"containerPort": 8080}]}
        public = self._project.access == "public"
        body = {"template": {"containers": [container]}, "labels": {LABEL: self._project.run}}
        parent, _, service = self.name.rpartition("/services/")
        made = self._by_hand.needed(
            "POST", RUN, f"{parent}/services", {**body, "invokerIamDisabled": public}, serviceId=service
        )
        ended = self._by_hand.ended(made)
        assert "error" not in ended, ended

    def _needed(self) -> dict[str, Any]:
        found = self._by_hand.service(self.name)
        assert found is not None, "there is no service yet"
        return found

    def _patch(self, service: dict[str, Any], mask: str) -> None:
        self._by_hand.needed("PATCH", RUN, self.name, service, updateMask=mask)
        self._by_hand.settled(self.name)

    # The address.

    def _routes(self) -> tuple[str, frozenset[str]]:
        """The address, and who may answer there: as it was asked for less than a second ago."""
        at, uri, routed = self._routed
        if time.monotonic() - at < LOOK:
            return uri, routed
        service = self._by_hand.service(self.name)
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
