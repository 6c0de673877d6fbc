"""The Knative adapter's rig: a place is a namespace of its own on the rig's cluster, with Knative's own reconcilers.

Images are in the rig's registry, revisions really run as pods on the rig's nodes, and the address is asked through its
router. Nothing wakes a revision that is at zero there (no activator), and nothing proxies in its pods.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
from docker import DockerClient

from shipper.model import ImageRef, Settings, TargetSettings
from shipper.model.context import Secrets
from shipper.model.target import Traits
from shipper.targets import Conflict, Target, TargetContext, Transient
from shipper.targets.conformance import Answer, Ended, ImageKind, Kill, Run, Values, powers_of, run_in_child
from shipper_targets.knative import kind
from shipper_targets.knative.conditions import has_routed, is_current, state_of
from shipper_targets.knative.kinds import REVISION, SERVICE
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import JOB, SECRET
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import is_leaving, name_of, objects, text
from tests.conformance.service_image import ServiceImage
from tests.rig.kubernetes.handle import KubeRig

REPOSITORY = f"127.0.0.1:5000/knative-conformance-{os.getpid()}/service"
MINE = f"knc{os.getpid()}"
NEWEST = "latestCreatedRevisionName"
SMALL = 0.2
"""Of their real time, what pods wait before they are started again."""


class Images:
    """The base image with the suite's service in it, made without a build and pushed to the rig's registry."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], ImageRef] = {}
        self._making = threading.Lock()

    def __call__(self, kind: ImageKind, text: str) -> ImageRef:
        if kind == "missing":
            reference = f"{REPOSITORY}@sha256:{'0' * 64}"
            return ImageRef(config_digest="sha256:" + "1" * 64, reference=reference, platform="linux/amd64")
        with self._making:
            if (kind, text) not in self._known:
                self._known[kind, text] = self._make(kind, text)
            return self._known[kind, text]

    def close(self) -> None:
        """Every image that was made."""
        for image in self._known.values():
            for name in (image.reference, image.config_digest):
                with contextlib.suppress(docker.errors.APIError):
                    self._client.api.remove_image(name, force=True)
        self._service.close()

    def _make(self, kind: ImageKind, text: str) -> ImageRef:
        config = self._service.commit(kind, text)
        tag = config.removeprefix("sha256:")[:12]
        self._client.api.tag(config, REPOSITORY, tag)
        digest = ""
        for line in self._client.api.push(REPOSITORY, tag, stream=True, decode=True):
            assert "error" not in line, line
            digest = line.get("aux", {}).get("Digest", digest)
        self._client.api.remove_image(f"{REPOSITORY}:{tag}")
        return ImageRef(
            config_digest=config, manifest_digest=digest, reference=f"{REPOSITORY}@{digest}", platform="linux/amd64"
        )

    @cached_property
    def _client(self) -> DockerClient:
        return docker.from_env()

    @cached_property
    def _service(self) -> ServiceImage:
        return ServiceImage(self._client, f"{MINE}-base")


class KnativeRig:
    """Implements shipper.targets.conformance.Rig. Nothing is asked of anybody before a place is used."""

    kind = "knative"

    def __init__(self, images: Images) -> None:
        self._images = images
        self.cluster: KubeRig | None = None

    @property
    def traits(self) -> Traits:
        return kind.traits

    @property
    def powers(self) -> frozenset[type]:
        place = KnativePlace("shop", Path("/nowhere"), "nowhere", "http://127.0.0.1", None, None)
        return powers_of(place.target(place.settings(), Values({})), place)

    def fresh(self, service: str = "") -> KnativePlace:
        assert self.cluster is not None, "the cluster is a fixture's to give"
        namespace = self.cluster.namespace("kn")
        self.cluster.nodes.time_factor(SMALL, namespace)
        there = self.cluster
        return KnativePlace(service or "shop", there.kubeconfig(), namespace, there.edge_url, self._images, there)


class KnativePlace:
    """Implements Place, Drifts, LosesStamp, LosesRevisions, StoresSecrets, RunsCommands, Adopts and KillsProcesses.

    Pickles, for a run's own process; that one makes no images and no namespaces.
    """

    def __init__(
        self,
        service: str,
        kubeconfig: Path,
        namespace: str,
        edge: str,
        images: Images | None,
        cluster: KubeRig | None,
    ) -> None:
        self._service = service
        self._kubeconfig = kubeconfig
        self._namespace = namespace
        self._edge = edge
        self._images = images
        self._cluster = cluster

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in self.__dict__.items() if name != "_api"}
        return {**kept, "_images": None, "_cluster": None}

    @property
    def own(self) -> Mapping[str, Any]:
        there = {"context": "rig", "kubeconfig": str(self._kubeconfig), "namespace": self._namespace}
        return {**there, "address": self._edge}

    @property
    def chosen(self) -> TargetSettings:
        return TargetSettings(name="kn", kind="knative", settings=dict(self.own))

    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "service": {"service": self._service, "environment": "test", "root": "/"},
                "image": {"repository": REPOSITORY},
                "health": {"startup": 8, "timeout": 1},
                "run": {"stop_grace": 1},
            }
        )

    def target(self, settings: Settings, secrets: Secrets) -> Target:
        return kind.connect(TargetContext(self.chosen.name, settings, self.chosen.settings, secrets))

    def image(self, kind: ImageKind, text: str = "") -> ImageRef:
        assert self._images is not None, "a run's own process makes no images"
        return self._images(kind, text)

    def command(self, status: int) -> Sequence[str]:
        return ("python", "-c", f"print('migrated'); raise SystemExit({status})")

    def run(self, run: Run, kill: Kill) -> Ended:
        return run_in_child(self, run, kill)

    def ask(self, path: str = "/") -> Answer:
        service = self._find()
        url = text(service, "status", "url") if service is not None else ""
        if not url:
            raise OSError("there is no address")
        where = urlsplit(self._edge)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=15)
        try:
            connection.request("GET", path, headers={"Host": urlsplit(url).netloc})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 404 and body.startswith(b"no route"):
                raise OSError("nothing is routed there")
            return Answer(answer.status, body, answer.getheader("x-rig-service"))
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def leaks(self) -> Sequence[str]:
        """Tags that nobody needs, Jobs, revisions whose Service is gone, and those of failed attempts: but for the
        newest, which Knative would make again.
        """
        service = self._find()
        found = [f"Job {name_of(one)}" for one in self._api.list(JOB).items]
        if service is None:
            left = self._api.list(REVISION).items
            return [*found, *(f"revision {name_of(one)}" for one in left)]
        newest = {text(service, "spec", "template", "metadata", "name"), text(service, "status", NEWEST)}
        there = [one for one in self._api.list(REVISION).items if not is_leaving(one) and name_of(one) not in newest]
        found += [f"revision {name_of(one)}" for one in there if state_of(one) == "failed"]
        traffic = objects(service, "spec", "traffic")
        return [*found, *(f"tag {text(one, 'tag')}" for one in traffic if one.get("tag") and not one.get("percent"))]

    def close(self) -> None:
        if self._cluster is not None:
            self._cluster.drop(self._namespace)

    # By hand.

    def store_secret(self, name: str, value: str) -> str:
        """One Secret for each name, changed in place, as its owner would."""
        called = f"secret-{hashlib.sha256(name.encode()).hexdigest()[:10]}"
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": called}, "stringData": {"value": value}}
        try:
            self._api.create(SECRET, body)
        except Conflict:
            self._api.merge(SECRET, called, {"stringData": {"value": value}})
        return f"kubernetes:{called}/value"

    def drift(self) -> None:
        """Another variable, as `kubectl edit` does it: a new revision with a name that the platform makes."""
        service = self._needed()
        container = dict(objects(service, "spec", "template", "spec", "containers")[0])
        container["env"] = [*container.get("env", []), {"name": "BY_HAND", "value": "yes"}]
        template = {"metadata": {"name": None}, "spec": {"containers": [container]}}
        self._change({"spec": {"template": template}})
        self._settled()

    def lose_stamp(self) -> None:
        self._change({"metadata": {"annotations": {"shipper.dev/stamp": None}}})

    def lose_revision(self, name: str) -> None:
        self._api.delete(REVISION, name)
        _until(lambda: self._api.find(REVISION, name) is None, f"{name} to be gone")

    def adopt(self, text: str) -> None:
        container = {"image": self.image("good", text).reference, "ports": [{"containerPort": 8080}]}
        body = {
            "apiVersion": SERVICE.api_version,
            "kind": SERVICE.kind,
            "metadata": {"name": self._name},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }
        self._api.create(SERVICE, body)
        self._settled()
        _until(self._answers, "it to answer")

    def _answers(self) -> bool:
        try:
            return self.ask().status == 200
        except OSError:
            return False

    def _settled(self) -> None:
        _until(lambda: is_current(self._needed()) and has_routed(self._needed()), f"{self._name} to settle")

    def _change(self, patch: Mapping[str, Any]) -> None:
        for _ in range(20):
            try:
                self._api.merge(SERVICE, self._name, patch)
                return
            except (Conflict, Transient):
                continue
        raise AssertionError(f"{self._name} could not be changed by hand")

    @property
    def _name(self) -> str:
        from shipper_targets.knative.names import service_name
        from shipper_targets.knative.settings import KnativeSettings

        return service_name(self.settings(), KnativeSettings.model_validate(self.own))

    @cached_property
    def _api(self) -> Api:
        return Api(KubernetesSettings(context="rig", kubeconfig=str(self._kubeconfig), namespace=self._namespace))

    def _find(self) -> dict[str, Any] | None:
        return self._api.find(SERVICE, self._name)

    def _needed(self) -> dict[str, Any]:
        found = self._find()
        assert found is not None, "there is no Service yet"
        return found


def _until(condition: Any, what: str, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:g} s for {what}"
        threading.Event().wait(0.05)
