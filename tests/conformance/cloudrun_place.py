"""What the suite's places on Cloud Run have in common: a place is one service, on the rig or in a real project.

A kind of place says how its target is configured, where images come from, who asks the API by hand, and how the address
is asked; what is done to the service is the same everywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from shipper.model import ImageRef, Settings, TargetSettings
from shipper.model.context import Secrets
from shipper.model.target import Traits
from shipper.targets import Target, TargetContext
from shipper.targets.conformance import Answer, Ended, ImageKind, Kill, Run, Values, powers_of, run_in_child
from shipper_targets.cloudrun import kind
from shipper_targets.cloudrun.names import names_of
from shipper_targets.cloudrun.settings import CloudRunSettings
from tests.conformance.cloudrun_by_hand import ServicesByHand

Transport = Literal["grpc", "rest"]


class MakesImages(Protocol):
    """The suite's images where the platform finds them, made when they are asked for."""

    def __call__(self, kind: ImageKind, text: str) -> ImageRef: ...

    def forget(self, image: ImageRef) -> None:
        """Its bytes are gone; asked for again, it is made again."""
        ...


class ServiceRig(ABC):
    """Implements shipper.targets.conformance.Rig. Nothing is asked of anybody before a place is used."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """As the table of results says it."""

    @property
    def traits(self) -> Traits:
        return kind.traits

    @property
    def powers(self) -> frozenset[type]:
        place = self.place()
        return powers_of(place.target(place.settings(), Values({})), place)

    def fresh(self, service: str = "") -> ServicePlace:
        """A place to be used now."""
        return self.place(service)

    @abstractmethod
    def place(self, service: str = "") -> ServicePlace:
        """A place that nobody has used; asks nobody."""


class ServicePlace(ABC):
    """Implements Place, Drifts, LosesStamp, LosesImages, LosesRevisions, StoresSecrets, Adopts and KillsProcesses.

    Pickles, for a run's own process; that one makes no images.
    """

    def __init__(self, service: str, environment: str, images: MakesImages, by_hand: ServicesByHand) -> None:
        self._service, self._environment = service, environment
        self._images: MakesImages | None = images
        self.by_hand = by_hand

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_images": None}

    @property
    @abstractmethod
    def own(self) -> Mapping[str, Any]:
        """The target's settings."""

    @property
    @abstractmethod
    def repository(self) -> str:
        """Of the images."""

    @property
    @abstractmethod
    def startup(self) -> float:
        """Seconds that a good image may take."""

    @abstractmethod
    def ask(self, path: str = "/") -> Answer:
        """See Place."""

    @abstractmethod
    def store_secret(self, name: str, value: str) -> str:
        """See StoresSecrets."""

    @abstractmethod
    def close(self) -> None:
        """See Place."""

    @property
    def chosen(self) -> TargetSettings:
        return TargetSettings(name="run", kind="cloudrun", settings=dict(self.own))

    @property
    def name(self) -> str:
        """Of the Cloud Run service, in full."""
        return names_of(self.settings(), CloudRunSettings.model_validate(self.own)).service

    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "service": {"service": self._service, "environment": self._environment, "root": "/"},
                "image": {"repository": self.repository},
                "health": {"startup": self.startup, "timeout": 1},
                "run": {"secrets_as": "environment"},
            }
        )

    def target(self, settings: Settings, secrets: Secrets) -> Target:
        return kind.connect(TargetContext(self.chosen.name, settings, self.chosen.settings, secrets))

    def image(self, kind: ImageKind, text: str = "") -> ImageRef:
        assert self._images is not None, "a run's own process makes no images"
        return self._images(kind, text)

    def leaks(self) -> Sequence[str]:
        """Tags that nobody needs: a revision that has one is billed its minimum."""
        service = self.by_hand.service(self.name)
        traffic = service.get("traffic", []) if service else []
        return [f"tag {found['tag']}" for found in traffic if found.get("tag") and not found.get("percent")]

    def run(self, run: Run, kill: Kill) -> Ended:
        return run_in_child(self, run, kill)

    # By hand.

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
        assert self._images is not None, "a run's own process loses no images"
        self._images.forget(image)

    def lose_revision(self, name: str) -> None:
        self.by_hand.carry_out("DELETE", f"{self.name}/revisions/{name}")

    def adopt(self, text: str) -> None:
        container = {"image": self.image("good", text).reference, "ports": [{"containerPort": 8080}]}
        public = self.own["access"] == "public"
        body = {"template": {"containers": [container]}, "labels": self.own.get("labels", {})}
        parent, _, service = self.name.rpartition("/services/")
        made = {**body, "invokerIamDisabled": public}
        self.by_hand.carry_out("POST", f"{parent}/services", made, serviceId=service)

    def _needed(self) -> dict[str, Any]:
        found = self.by_hand.service(self.name)
        assert found is not None, "there is no service yet"
        return found

    def _patch(self, service: Mapping[str, Any], mask: str) -> None:
        status, said = self.by_hand.run("PATCH", self.name, service, updateMask=mask)
        assert status == 200, f"PATCH {self.name}: {status} {said}"
        self.by_hand.settled(self.name)
