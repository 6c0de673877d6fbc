"""The Cloud Run adapter's rig: a place is a project of its own on the rig's Google Cloud, over gRPC or REST.

Its images are in the rig's Artifact Registry, its revisions really run, and its address is asked over HTTP. What is
done by hand goes through the platform's REST API, as the console or another tool would do it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import tarfile
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import docker
from docker import DockerClient

from shipper.model import ImageRef, Settings, TargetSettings
from shipper.model.context import Secrets
from shipper.model.target import Traits
from shipper.targets import Target, TargetContext
from shipper.targets.conformance import Answer, Ended, ImageKind, Kill, Run, Values, powers_of, run_in_child
from shipper_targets.cloudrun import kind
from shipper_targets.cloudrun.names import names_of
from shipper_targets.cloudrun.settings import CloudRunSettings
from tests.rig.google import part
from tests.rig.google.handle import GoogleRig
from tests.rig.images import BASE

if TYPE_CHECKING:
    from tests.rig.google.identity import Identity

Transport = Literal["grpc", "rest"]
REGION = "us-central1"
HOST = f"{REGION}-docker.pkg.dev"
IMAGES = f"conformance-{os.getpid()}"
"""The project that holds the images."""
_COUNT = itertools.count(1)


class Images:
    """The base image with the suite's service in it, made without a build and pushed to Artifact Registry."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], ImageRef] = {}
        self._making = threading.Lock()

    def __call__(self, kind: ImageKind, text: str) -> ImageRef:
        if kind == "missing":
            reference = f"{HOST}/{IMAGES}/shop/service@sha256:{'0' * 64}"
            return ImageRef(config_digest="sha256:" + "1" * 64, reference=reference, platform="linux/amd64")
        with self._making:
            if (kind, text) not in self._known:
                self._known[kind, text] = self._make(kind, text)
            return self._known[kind, text]

    def forget(self, image: ImageRef) -> None:
        """Its bytes are gone, from the registry and from the engine that would run it; asked for again, made again."""
        self._known = {key: known for key, known in self._known.items() if known != image}
        package = f"projects/{IMAGES}/locations/{REGION}/repositories/shop/packages/service"
        digest = image.reference.partition("@")[2]
        self._artifacts("DELETE", f"{package}/versions/{digest}?force=true")
        with contextlib.suppress(docker.errors.APIError):
            self._client.api.remove_image(image.reference, force=True)
        with contextlib.suppress(docker.errors.APIError):
            self._client.api.remove_image(image.config_digest, force=True)

    def close(self) -> None:
        """Every image that was made."""
        for image in list(self._known.values()):
            self.forget(image)
        with contextlib.suppress(docker.errors.APIError):
            self._client.api.remove_container(f"{IMAGES}-base", force=True)

    def _make(self, kind: str, text: str) -> ImageRef:
        self._repository()
        conf = {"Cmd": ["python", "-u", "/service.py", kind, text], "User": "1234:1234"}
        config = str(self._client.api.commit(self._base, conf=conf)["Id"])
        name, tag = f"{HOST}/{IMAGES}/shop/service", config.removeprefix("sha256:")[:12]
        self._client.api.tag(config, name, tag)
        auth = {"username": "oauth2accesstoken", "password": self._identity.access_token()}
        digest = ""
        for line in self._client.api.push(name, tag, stream=True, decode=True, auth_config=auth):
            assert "error" not in line, line
            digest = line.get("aux", {}).get("Digest", digest)
        self._client.api.remove_image(f"{name}:{tag}")  # by its digest the engine still has it
        return ImageRef(
            config_digest=config, manifest_digest=digest, reference=f"{name}@{digest}", platform="linux/amd64"
        )

    @cached_property
    def _client(self) -> DockerClient:
        return docker.from_env()

    @cached_property
    def _identity(self) -> Identity:
        from tests.rig.api import describe
        from tests.rig.google.identity import Identity
        from tests.rig.machine import survey

        return Identity(describe(survey()).google.folder / "identity")

    @cached_property
    def _base(self) -> str:
        """A container that never runs, with the service in it."""
        made = self._client.api.create_container(BASE, command=["true"], name=f"{IMAGES}-base")
        program = files("shipper.targets.conformance").joinpath("service.py").read_bytes()
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            entry = tarfile.TarInfo("service.py")
            entry.size, entry.mode = len(program), 0o644
            archive.addfile(entry, io.BytesIO(program))
        self._client.api.put_archive(made["Id"], "/", content.getvalue())
        return str(made["Id"])

    def _repository(self) -> None:
        if self._known:
            return
        parent = f"projects/{IMAGES}/locations/{REGION}/repositories"
        status = self._artifacts("POST", f"{parent}?repositoryId=shop", {"format": "DOCKER"})
        assert status in (200, 409), status
        while self._artifacts("GET", f"{parent}/shop") != 200:
            threading.Event().wait(0.05)

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


class CloudRunRig:
    """Implements shipper.targets.conformance.Rig. Nothing is asked of the rig before a place is used."""

    def __init__(self, transport: Transport, images: Images) -> None:
        self._transport: Transport = transport
        self._images = images

    @property
    def kind(self) -> str:
        return f"cloudrun, {self._transport}"

    @property
    def traits(self) -> Traits:
        return kind.traits

    @property
    def powers(self) -> frozenset[type]:
        place = self.fresh()
        return powers_of(place.target(place.settings(), Values({})), place)

    def fresh(self, service: str = "") -> CloudRunPlace:
        return CloudRunPlace(self._transport, service or "shop", self._images)


class CloudRunPlace:
    """Implements Place, Drifts, LosesStamp, LosesImages, LosesRevisions, StoresSecrets, Adopts and KillsProcesses."""

    def __init__(self, transport: Transport, service: str, images: Images) -> None:
        self._transport: Transport = transport
        self._service = service
        self._images: Images | None = images
        self.project = f"p{os.getpid()}-{next(_COUNT)}"
        self.hands = GoogleRig(part.url())

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_images": None}

    @property
    def chosen(self) -> TargetSettings:
        own = {
            "project": self.project,
            "region": REGION,
            "access": "public",
            "endpoint": self.hands.url,
            "transport": self._transport,
            "credentials": "none",
        }
        return TargetSettings(name="run", kind="cloudrun", settings=own)

    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "service": {"service": self._service, "environment": "test", "root": "/"},
                "image": {"repository": f"{HOST}/{IMAGES}/shop/service"},
                "health": {"startup": 8, "timeout": 1},
                "run": {"secrets_as": "environment"},
            }
        )

    def target(self, settings: Settings, secrets: Secrets) -> Target:
        return kind.connect(TargetContext(self.chosen.name, settings, self.chosen.settings, secrets))

    def image(self, kind: ImageKind, text: str = "") -> ImageRef:
        assert self._images is not None, "a run's own process makes no images"
        return self._images(kind, text)

    def ask(self, path: str = "/") -> Answer:
        service = self._found()
        if service is None:
            raise OSError("there is no such service")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{service['uri']}{path}", timeout=15) as answer:
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 404 and b"could not be found on this server" in (body := error.read()):
                raise OSError("nothing is routed there") from error
            return Answer(error.code, error.read() or body)

    def leaks(self) -> Sequence[str]:
        """Tags that nobody needs: a revision that has one is billed its minimum."""
        service = self._found()
        traffic = service.get("traffic", []) if service else []
        return [f"tag {found['tag']}" for found in traffic if found.get("tag") and not found.get("percent")]

    def close(self) -> None:
        self.hands.wipe(self.project)

    def run(self, run: Run, kill: Kill) -> Ended:
        return run_in_child(self, run, kill)

    # By hand.

    def store_secret(self, name: str, value: str) -> str:
        self.hands.add_secret(self.project, name, value.encode())
        return f"secret-manager:{name}"

    def drift(self) -> None:
        """Another variable, as the console does it: a new revision with a name that the platform makes."""
        service = self._needed()
        template = service["template"]
        template.pop("revision", None)
        template["containers"][0].setdefault("env", []).append({"name": "BY_HAND", "value": "yes"})
        self._patch(service)

    def lose_stamp(self) -> None:
        service = self._needed()
        service["annotations"] = {
            name: text for name, text in service["annotations"].items() if name != "shipper.dev/stamp"
        }
        self._patch(service, "annotations")

    def lose_image(self, image: ImageRef) -> None:
        assert self._images is not None
        self._images.forget(image)

    def lose_revision(self, name: str) -> None:
        status, said = self._api("DELETE", f"{self._name}/revisions/{name}")
        assert status == 200, said

    def adopt(self, text: str) -> None:
        container = {"image": self.image("good", text).reference, "ports": [{"containerPort": 8080}]}
        body = {"template": {"containers": [container]}, "invokerIamDisabled": True}
        parent, _, service = self._name.rpartition("/services/")
        status, said = self._api("POST", f"{parent}/services?serviceId={service}", body)
        assert status == 200, said
        while (self._found() or {}).get("terminalCondition", {}).get("state") != "CONDITION_SUCCEEDED":
            threading.Event().wait(0.05)

    # The platform's REST API.

    @property
    def _name(self) -> str:
        own = CloudRunSettings(project=self.project, region=REGION)
        return names_of(self.settings(), own).service

    def _found(self) -> dict[str, Any] | None:
        status, found = self._api("GET", self._name)
        return found if status == 200 else None

    def _needed(self) -> dict[str, Any]:
        found = self._found()
        assert found is not None, "there is no service yet"
        return found

    def _patch(self, service: Mapping[str, Any], mask: str = "") -> None:
        status, said = self._api("PATCH", f"{self._name}?updateMask={mask}" if mask else self._name, service)
        assert status == 200, said
        while (self._found() or {}).get("reconciling"):
            threading.Event().wait(0.05)

    def _api(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(f"{self.hands.url}/v2/{path}", content, headers, method=method)
        try:
            with opener.open(asked, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
