"""What the suite's places on the rig's cluster have in common: a namespace, images in the registry, and the edge.

A kind of place says what its target's settings are, by which name users ask for the service, and what an answer means.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from shipper.model import ImageRef, Settings, TargetSettings
from shipper.model.context import Secrets
from shipper.targets import Target, TargetContext, TargetKind
from shipper.targets.conformance import Answer, Ended, ImageKind, Kill, Run, run_in_child
from tests.conformance.cluster_by_hand import ClusterByHand
from tests.conformance.registry_images import PushedImages, repository


class ClusterPlace(ABC):
    """Implements Place but for what differs, StoresSecrets, RunsCommands and KillsProcesses.

    Pickles, for a run's own process; that one makes no images.
    """

    adapter: ClassVar[TargetKind]

    def __init__(self, service: str, hands: ClusterByHand, edge: str, images: PushedImages | None) -> None:
        self._service, self.hands, self._edge, self._images = service, hands, edge, images

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_images": None}

    @property
    @abstractmethod
    def host(self) -> str:
        """The service's name for its users. Raises OSError when it has none yet."""

    @abstractmethod
    def read(self, answer: http.client.HTTPResponse, body: bytes) -> Answer:
        """What the edge said. Raises OSError when it had nowhere to go."""

    @abstractmethod
    def leaks(self) -> Sequence[str]:
        """See Place."""

    @abstractmethod
    def close(self) -> None:
        """See Place."""

    @property
    def own(self) -> Mapping[str, Any]:
        """The target's settings."""
        there = {"context": "rig", "kubeconfig": str(self.hands.kubeconfig), "namespace": self.hands.namespace}
        return {**there, "address": self._edge}

    @property
    def chosen(self) -> TargetSettings:
        return TargetSettings(name="cluster", kind=self.adapter.kind, settings=dict(self.own))

    def settings(self, **more: Any) -> Settings:
        return Settings.model_validate(
            {
                "service": {"service": self._service, "environment": "test", "root": "/"},
                "image": {"repository": repository()},
                "health": {"startup": 8, "timeout": 1},
                "run": {"stop_grace": 1},
                **more,
            }
        )

    def target(self, settings: Settings, secrets: Secrets) -> Target:
        return self.adapter.connect(TargetContext(self.chosen.name, settings, self.chosen.settings, secrets))

    def image(self, kind: ImageKind, text: str = "") -> ImageRef:
        assert self._images is not None, "a run's own process makes no images"
        return self._images(kind, text)

    def command(self, status: int) -> Sequence[str]:
        return ("python", "-c", f"print('migrated'); raise SystemExit({status})")

    def run(self, run: Run, kill: Kill) -> Ended:
        return run_in_child(self, run, kill)

    def ask(self, path: str = "/") -> Answer:
        host, edge = self.host, urlsplit(self._edge)
        connection = http.client.HTTPConnection(edge.hostname or "", edge.port, timeout=15)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return self.read(answer, answer.read())
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def store_secret(self, name: str, value: str) -> str:
        """One Secret for each name, changed in place, as its owner would."""
        secret = f"store-{hashlib.sha256(name.encode()).hexdigest()[:10]}"
        content = {"value": base64.b64encode(value.encode()).decode()}
        self.hands.put("v1", "Secret", secret, {"data": content})
        return f"kubernetes:{secret}/value"
