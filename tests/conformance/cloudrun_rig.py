"""The Cloud Run adapter's rig: a place is a project of its own on the rig's Google Cloud, over gRPC or REST.

Its images are in the rig's Artifact Registry, its revisions really run, and its address is asked over HTTP. What is
done by hand goes through the platform's REST API, as the console or another tool would do it. Every call has a token.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from shipper.model import ImageRef
from shipper.targets.conformance import Answer, ImageKind
from tests.conformance.cloudrun_by_hand import ServicesByHand
from tests.conformance.cloudrun_place import ServicePlace, ServiceRig, Transport
from tests.conformance.registry_images import PushedImages
from tests.rig.google import part
from tests.rig.google.cloudrun.router_pages import NOT_FOUND
from tests.rig.google.handle import GoogleRig

if TYPE_CHECKING:
    from tests.rig.google.identity import Identity

REGION = "us-central1"
HOST = f"{REGION}-docker.pkg.dev"
IMAGES = f"conformance-{os.getpid()}"
"""The project that holds the images."""
_COUNT = itertools.count(1)


class ArtifactRegistryImages(PushedImages):
    """In Artifact Registry, with a token for each push."""

    repository = f"{HOST}/{IMAGES}/shop/service"

    def credentials(self) -> Mapping[str, str]:
        return {"username": "oauth2accesstoken", "password": self._identity.access_token()}

    def delete(self, digest: str) -> None:
        package = f"projects/{IMAGES}/locations/{REGION}/repositories/shop/packages/service"
        self._artifacts("DELETE", f"{package}/versions/{digest}?force=true")

    def _make(self, kind: ImageKind, text: str) -> ImageRef:
        if not self._known:
            self._make_repository()
        return super()._make(kind, text)

    def _make_repository(self) -> None:
        parent = f"projects/{IMAGES}/locations/{REGION}/repositories"
        status = self._artifacts("POST", f"{parent}?repositoryId=shop", {"format": "DOCKER"})
        assert status in (200, 409), status
        while self._artifacts("GET", f"{parent}/shop") != 200:
            threading.Event().wait(0.05)

    @cached_property
    def _identity(self) -> Identity:
        from tests.rig.api import describe
        from tests.rig.google.identity import Identity
        from tests.rig.machine import survey

        return Identity(describe(survey()).google.folder / "identity")

    def _artifacts(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> int:
        import ssl

        from tests.rig.api import describe
        from tests.rig.machine import survey

        trust = ssl.create_default_context(cafile=describe(survey()).google.env["SSL_CERT_FILE"])
        headers = {"Authorization": f"Bearer {self._identity.access_token()}", "Content-Type": "application/json"}
        url, content = f"https://artifactregistry.googleapis.com/v1/{path}", json.dumps(body or {}).encode()
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        asked = urllib.request.Request(url, content if method == "POST" else None, headers, method=method)
        try:
            with opener.open(asked, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


class RigByHand(ServicesByHand):
    """By the rig's hands, with a token of their own."""

    def __init__(self, hands: GoogleRig) -> None:
        self._hands = hands

    def run(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str
    ) -> tuple[int, dict[str, Any]]:
        asked = urlencode({name: value for name, value in query.items() if value})
        return self._hands.request(method, f"/v2/{path}?{asked}" if asked else f"/v2/{path}", body)


class CloudRunRig(ServiceRig):
    """Places whose projects let nobody in without a token: credentials are application default credentials."""

    def __init__(self, transport: Transport, images: PushedImages) -> None:
        self._transport: Transport = transport
        self._images = images

    @property
    def kind(self) -> str:
        return f"cloudrun, {self._transport}"

    def fresh(self, service: str = "") -> CloudRunPlace:
        place = self.place(service)
        place.hands.need_tokens(place.project)
        return place

    def place(self, service: str = "") -> CloudRunPlace:
        return CloudRunPlace(self._transport, service or "shop", self._images)


class CloudRunPlace(ServicePlace):
    """A project of its own with one service in it."""

    repository = ArtifactRegistryImages.repository
    startup = 8.0

    def __init__(self, transport: Transport, service: str, images: PushedImages) -> None:
        self.hands = GoogleRig(part.url())
        self.project = f"p{os.getpid()}-{next(_COUNT)}"
        self._transport = transport
        super().__init__(service, "test", images, RigByHand(self.hands))

    @property
    def own(self) -> Mapping[str, Any]:
        there = {"project": self.project, "region": REGION, "endpoint": self.hands.url}
        return {**there, "access": "public", "transport": self._transport}

    def ask(self, path: str = "/") -> Answer:
        service = self.by_hand.service(self.name)
        if service is None:
            raise OSError("there is no such service")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{service['uri']}{path}", timeout=15) as answer:
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            body = error.read()
            if error.code == 404 and body == NOT_FOUND.body:
                raise OSError("nothing is routed there") from error
            return Answer(error.code, body)

    def store_secret(self, name: str, value: str) -> str:
        self.hands.add_secret(self.project, name, value.encode())
        return f"secret-manager:{name}"

    def close(self) -> None:
        self.hands.wipe(self.project)
