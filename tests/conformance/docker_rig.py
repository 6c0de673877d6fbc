"""The docker adapter's rig: a place is a namespace of its own on the engine, with a proxy, a port and a network."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import socket
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import docker
from docker import DockerClient

from shipper.model import ImageRef, Settings, TargetSettings
from shipper.model.context import Secrets
from shipper.model.target import Traits
from shipper.targets import Target, TargetContext
from shipper.targets.conformance import Answer, ImageKind, Values, powers_of
from shipper_targets.docker import kind
from tests.conformance.service_image import ServiceImage
from tests.rig.images import PROXY

MINE = f"dtc{os.getpid()}"
_COUNT = itertools.count(1)


class DockerRig:
    """Implements shipper.targets.conformance.Rig. Nothing is asked of the engine before a place is used."""

    kind = "docker"

    def __init__(self) -> None:
        self._images: dict[tuple[str, str], ImageRef] = {}
        self._making = threading.Lock()

    @property
    def traits(self) -> Traits:
        return kind.traits

    @property
    def powers(self) -> frozenset[type]:
        place = DockerPlace(self, "shop")
        return powers_of(place.target(place.settings(), Values({})), place)

    @cached_property
    def client(self) -> DockerClient:
        return docker.from_env()

    def fresh(self, service: str = "") -> DockerPlace:
        return DockerPlace(self, service or "shop")

    def image(self, kind: ImageKind, text: str) -> ImageRef:
        """The base image with the suite's service in it, made without a build. By its config digest: it is local."""
        if kind == "missing":
            digest = "sha256:" + "0" * 64
            return ImageRef(config_digest=digest, reference=digest, platform="linux/amd64")
        with self._making:
            found = self._images.get((kind, text))
            if found is None:
                digest = self._service.commit(kind, text)
                found = ImageRef(config_digest=digest, reference=digest, platform="linux/amd64")
                self._images[kind, text] = found
            return found

    def forget(self, image: ImageRef) -> None:
        """Its bytes are gone from the engine; asked for again, it is made again."""
        self._images = {key: known for key, known in self._images.items() if known != image}
        self.client.api.remove_image(image.config_digest, force=True)

    def close(self) -> None:
        """Every image that was made."""
        for image in list(self._images.values()):
            with contextlib.suppress(docker.errors.APIError):
                self.forget(image)
        self._service.close()

    @cached_property
    def _service(self) -> ServiceImage:
        return ServiceImage(self.client, f"{MINE}-base")


class DockerPlace:
    """Implements Place, Drifts, LosesStamp, LosesImages, LosesRevisions, RunsCommands and Adopts."""

    def __init__(self, rig: DockerRig, service: str) -> None:
        self._rig = rig
        self._service = service
        self._namespace = f"{MINE}-{next(_COUNT)}"
        self._port = _free_port()
        self._key = f"{service}.test"

    @property
    def chosen(self) -> TargetSettings:
        own = {"namespace": self._namespace, "port": self._port, "proxy_image": PROXY}
        return TargetSettings(name="box", kind="docker", settings=own)

    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "service": {"service": self._service, "environment": "test", "root": "/"},
                "health": {"startup": 8, "timeout": 2},
                "run": {"stop_grace": 1},
                "rollout": {"drain": 5},
            }
        )

    def target(self, settings: Settings, secrets: Secrets) -> Target:
        return kind.connect(TargetContext(self.chosen.name, settings, self.chosen.settings, secrets))

    def image(self, kind: ImageKind, text: str = "") -> ImageRef:
        return self._rig.image(kind, text)

    def command(self, status: int) -> Sequence[str]:
        return ("python", "-c", f"print('migrated'); raise SystemExit({status})")

    def ask(self, path: str = "/") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
        try:
            connection.request("GET", path, headers={"Host": f"test.{self._service}.localhost"})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), answer.getheader("X-Shipper-Revision"))
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    # By hand.

    def drift(self) -> None:
        name = next(line.split()[3] for line in self._servers() if line.split()[7] != "0")
        self._at_the_proxy(f"set server slot00/{name} weight 50")

    def lose_stamp(self) -> None:
        self._in_the_proxy(f"cd /state/services/{self._key} && rm -rf current v*")

    def lose_image(self, image: ImageRef) -> None:
        self._rig.forget(image)

    def lose_revision(self, name: str) -> None:
        self._api.remove_container(f"{self._namespace}-{name}", force=True)
        number = name.split("-")[-2]
        self._in_the_proxy(f"rm /state/services/{self._key}/releases/{number}-*.json")

    def adopt(self, text: str) -> None:
        """Another service of ours was here, so that the proxy is; and somebody put a container of theirs behind it."""
        settings = self.settings()
        other = settings.service.model_copy(update={"service": "elsewhere"})
        neighbour: Any = self.target(settings.model_copy(update={"service": other}), Values({}))
        neighbour.make_secret_key()
        name = f"{self._namespace}-by-hand"
        self._rig.client.containers.run(
            self.image("good", text).config_digest, name=name, network=self._namespace, detach=True
        )
        record = self._api.inspect_container(name)
        address = record["NetworkSettings"]["Networks"][self._namespace]["IPAddress"]
        self._at_the_proxy(
            f"add server slot00/legacy {address}:8080 weight 100; enable server slot00/legacy; "
            f"add map /state/hosts.map test.{self._service}.localhost slot00"
        )

    def leaks(self) -> Sequence[str]:
        records = self.target(self.settings(), Values({})).records()
        ids = {record.id for record in records}
        owned = {f"{self._namespace}-proxy", f"{self._namespace}-by-hand"} & set(self._containers())
        if owned:
            owned |= {self._namespace, f"{self._namespace}-state"}
        owned |= {name for name, labels in self._containers().items() if labels.get("shipper.release") in ids}
        with_secrets = [record for record in records if record.secret_versions]
        owned |= {name for name in self._volumes() if "-secrets-" in name and with_secrets}
        return sorted({*self._containers(), *self._volumes(), *self._networks(), *self._files()} - owned)

    def close(self) -> None:
        for name in self._containers():
            with contextlib.suppress(docker.errors.APIError):
                self._api.remove_container(name, force=True, v=True)
        for name in self._networks():
            with contextlib.suppress(docker.errors.APIError):
                self._api.remove_network(name)
        for name in self._volumes():
            with contextlib.suppress(docker.errors.APIError):
                self._api.remove_volume(name, force=True)

    # What is there.

    @property
    def _api(self) -> Any:
        return self._rig.client.api

    def _containers(self) -> dict[str, dict[str, str]]:
        """Name to labels: by name, and helpers that have none of their own by label."""
        found = self._api.containers(all=True, filters={"name": f"^/{self._namespace}-"})
        found += self._api.containers(all=True, filters={"label": f"shipper.namespace={self._namespace}"})
        return {record["Names"][0].lstrip("/"): record["Labels"] for record in found}

    def _volumes(self) -> list[str]:
        found = self._api.volumes(filters={"name": f"{self._namespace}-"}).get("Volumes") or []
        return [str(record["Name"]) for record in found]

    def _networks(self) -> list[str]:
        return [str(record["Name"]) for record in self._api.networks(names=[f"^{self._namespace}$"])]

    def _files(self) -> list[str]:
        """What is in the state volume of nobody. A reserved address is given back by itself, after ten minutes."""
        if f"{self._namespace}-proxy" not in self._containers():
            return []
        return self._in_the_proxy("ls -d /state/incoming/* /state/leaving.* 2>/dev/null").split()

    def _servers(self) -> list[str]:
        said = self._at_the_proxy("show servers state slot00")
        return [line for line in said.splitlines() if len(line.split()) > 8 and not line.startswith("#")]

    def _at_the_proxy(self, commands: str) -> str:
        return self._in_the_proxy('exec 3<>/dev/tcp/127.0.0.1/9999; printf "%s\\n" "$1" >&3; cat <&3', commands)

    def _in_the_proxy(self, script: str, *words: str) -> str:
        proxy: Any = self._rig.client.containers.get(f"{self._namespace}-proxy")
        return str(proxy.exec_run(["bash", "-c", script, "_", *words], user="0").output.decode())


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
