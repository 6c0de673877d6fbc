"""The Docker engine: builds through BuildKit, holds images, saves them once per run."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from shipper.errors import BuildError, PublishError, UnreachableError
from shipper.images.archive import archive_directory, write_archive
from shipper.images.building import run_build
from shipper.images.connection import engine_errors, open_client
from shipper.images.context import BuildContext, open_context
from shipper.images.local import HOST_LABEL, building_reference, drop, prune, reference_of
from shipper.images.platform import platform_of, same_platform
from shipper.images.protocol import BuildRequest, PullLogins
from shipper.images.stream import follow, in_blocks
from shipper.images.workplace import workplace
from shipper.model import Image
from shipper.model.context import Cancellation, Reporter
from shipper.model.json_text import parse_json
from shipper.targets.docker_client import line_of

if TYPE_CHECKING:
    from docker import DockerClient

    from shipper.images.builder_ready import Builder

_BLOCK = 1 << 20


class DockerEngine:
    """Implements shipper.images.protocol.Engine; a context manager. Thread-safe. `close` removes the archives; that
    also happens when the object goes away and at exit."""

    def __init__(self, client: DockerClient, docker_host: str | None = None, logins: PullLogins | None = None) -> None:
        self.client = client
        self.logins = logins
        self._api: Any = client.api  # its stubs have gaps
        self.docker_host = docker_host
        self._lock = threading.Lock()
        self._archives: dict[str, _Archive] = {}

    def build(self, request: BuildRequest, report: Reporter, cancel: Cancellation) -> Image:
        """Build exactly one image of one platform; it ends up on the engine as
        `shipper.local/<service>:<first 32 digits of its config digest>`.

        Raises BuildError with the last lines of the build (also when the context is no longer the one that was
        described), ConfigError, UnreachableError, and Interrupted: no process and no name is left then.
        """
        context = open_context(request.service, request.image)
        temporary = building_reference(request.service.service)
        try:
            engine = self.environment()
            builder = self._builder(request, engine, report, cancel)
            with workplace(request.secrets) as place:
                progress = run_build(request, context, temporary, place, builder, engine, report, cancel)
                metadata = _read_metadata(place.metadata)
            _require_unchanged(context, request, cancel)
            return self._take(request, temporary, metadata, progress.cached, report)
        finally:
            self._drop_quietly(temporary)

    def admit(self, reference: str, service: str, platform: str, report: Reporter, cancel: Cancellation) -> Image:
        """An image that exists already, pulled if it must be (shipper.images.admit)."""
        from shipper.images.admit import admit

        return admit(self, reference, service, platform, report, cancel)

    def has(self, image: Image) -> bool:
        """Whether the image's own name still stands for these very bytes on this engine."""
        import docker.errors

        with engine_errors("the engine cannot be asked for an image"):
            try:
                return bool(self._api.inspect_image(image.reference)["Id"] == image.engine_id)
            except docker.errors.ImageNotFound:
                return False

    def archive(self, image: Image, report: Reporter, cancel: Cancellation) -> Path:
        """The image as a tar (`docker save`), written once per engine object and image; who comes second waits.

        In constant memory. Raises PublishError when it is not the image that was built, BuildError when the disk is
        full, UnreachableError.
        """
        with self._lock:
            archive = self._archives.setdefault(image.config_digest, _Archive())
        with archive.held(cancel):
            if archive.path is None:
                archive.path = self._save(image, archive.directory(), report, cancel)
            return archive.path

    def world(self) -> str:
        """Engine id, version and image store."""
        return f"{self.info['ID']} {self.info['ServerVersion']} {self.store}"

    @property
    def store(self) -> str:
        """ "containerd" or "classic": in the first an image's id is a manifest digest, in the second its config's."""
        status = self.info.get("DriverStatus") or ()
        return "containerd" if any("io.containerd.snapshotter" in str(entry) for entry in status) else "classic"

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """What the engine says of itself (`docker info`), asked once."""
        with engine_errors("the Docker engine cannot be asked"):
            return dict(self._api.info())

    def platform(self) -> str:
        """The platform that the engine runs natively, such as "linux/amd64"."""
        with engine_errors("the Docker engine cannot be asked"):
            version = self._api.version(api_version=False)
        return f"{version['Os']}/{version['Arch']}"

    def prune(self, service: str, *, keep: int = 5, repository: str | None = None) -> tuple[str, ...]:
        """Remove old images of ours (shipper.images.local.prune); call it after a success."""
        return prune(self.client, service, keep=keep, repository=repository)

    def hosts_services(self) -> bool:
        """Whether a volume here holds the state of services that shipper runs on this engine."""
        with engine_errors("the engine's volumes cannot be listed"):
            found: Any = self.client.api.volumes(filters={"label": HOST_LABEL})
        return bool((found or {}).get("Volumes"))

    def close(self) -> None:
        """Remove the archives."""
        with self._lock:
            archives, self._archives = self._archives, {}
        for archive in archives.values():
            archive.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.client.close()

    def environment(self) -> dict[str, str]:
        """What a docker command needs, on top of the allow-list, to talk to this very engine.

        Over ssh that is a socket here, where there is one: the command would log in anew for each of its dozen calls.
        """
        line = line_of(self.client)
        place = line.engine_here() if line is not None else None
        if place is not None:
            return {"DOCKER_HOST": f"unix://{place}", "DOCKER_CONTEXT": ""}
        return {"DOCKER_HOST": self.docker_host} if self.docker_host else {}

    @staticmethod
    def _builder(
        request: BuildRequest, engine: Mapping[str, str], report: Reporter, cancel: Cancellation
    ) -> Builder | None:
        if request.image.builder == "docker":
            return None
        from shipper.images.builder_ready import ready_builder

        return ready_builder(request.image, Path(request.service.root), request.platform, engine, report, cancel)

    def _take(
        self, request: BuildRequest, temporary: str, metadata: Mapping[str, Any], cached: bool, report: Reporter
    ) -> Image:
        """Give the image its own name, and describe it."""
        service = request.service.service
        with engine_errors("the built image cannot be inspected", BuildError):
            found = self._api.inspect_image(temporary)
            config_digest = self._config_digest(metadata, found["Id"])
            reference = reference_of(service, config_digest)
            repository, _, tag = reference.rpartition(":")
            self._api.tag(temporary, repository, tag)
            size = self.uncompressed_size(found)
        platform = platform_of(found)
        if not same_platform(platform, request.platform):
            report.remark(f"the image was built for {platform}, not for {request.platform} as asked")
        return Image(
            config_digest=config_digest,
            source_digest=request.source.context_digest,
            platform=platform,
            engine_id=found["Id"],
            reference=reference,
            diff_ids=tuple((found.get("RootFS") or {}).get("Layers") or ()),
            size=size,
            user=(found.get("Config") or {}).get("User") or "",
            cached=cached,
        )

    def _config_digest(self, metadata: Mapping[str, Any], engine_id: str) -> str:
        said = metadata.get("containerimage.config.digest")
        if self.store == "classic" and said in (None, engine_id):
            return engine_id
        if self.store == "containerd" and said and metadata.get("containerimage.digest") in (None, engine_id):
            return str(said)
        raise BuildError(
            "the builder and the engine do not speak of the same image",
            hint="is the selected buildx builder one of this engine? `docker buildx ls` shows it",
            details=(f"builder: {said or 'no config digest'}", f"engine:  {engine_id}"),
        )

    def uncompressed_size(self, found: Mapping[str, Any]) -> int:
        """Of an inspected image. The classic store's own number; the containerd store's is that of compressed layers,
        there the unpacked layers are summed, as its snapshots use the disk (measured: 167 MB for what is 147 MB in the
        classic store)."""
        if self.store == "classic":
            return int(found["Size"])
        return sum(int(step.get("Size") or 0) for step in self._api.history(found["Id"]))

    def _save(self, image: Image, directory: Path, report: Reporter, cancel: Cancellation) -> Path:
        place = directory / "image.tar"
        with engine_errors("the engine cannot save the image", PublishError):
            client = open_client(self.docker_host, timeout=None)
        with contextlib.closing(client):
            write_archive(self._saved(client, image, cancel), place, image, report)
        return place

    @staticmethod
    def _saved(client: DockerClient, image: Image, cancel: Cancellation) -> Iterator[bytes]:
        with engine_errors("the engine cannot save the image", PublishError):
            yield from follow(lambda: in_blocks(client.api.get_image(image.reference), _BLOCK), cancel)

    def _drop_quietly(self, reference: str) -> None:
        """A build's own error is worth more than one in tidying up; `prune` finds what stays."""
        with contextlib.suppress(UnreachableError):
            drop(self.client, reference)


def connect(docker_host: str | None = None, logins: PullLogins | None = None) -> DockerEngine:
    """The engine at `docker_host`; without it the one that the docker command would use (DOCKER_HOST, docker
    context). `logins` are for pulling what exists already. Raises UnreachableError (33), CredentialsError (32)."""
    return DockerEngine(open_client(docker_host), docker_host, logins)


class _Archive:
    """One image's archive and the lock under which it is made. Its directory goes with it, at exit at the latest."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def held(self, cancel: Cancellation) -> Iterator[None]:
        while not self._lock.acquire(timeout=0.1):
            cancel.check()
        try:
            yield
        finally:
            self._lock.release()

    def directory(self) -> Path:
        if self._directory is None:
            self._directory = archive_directory()
        return Path(self._directory.name)

    def remove(self) -> None:
        if self._directory is not None:
            self._directory.cleanup()


def _read_metadata(path: Path) -> Mapping[str, Any]:
    try:
        metadata = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BuildError(
            "the builder did not say which image it built", hint="update the buildx plugin of Docker"
        ) from error
    return metadata if isinstance(metadata, dict) else {}


def _require_unchanged(context: BuildContext, request: BuildRequest, cancel: Cancellation) -> None:
    """What was scanned, digested and built must be the same: a file saved in between would slip through."""
    if context.measure(cancel=cancel).digest != request.source.context_digest:
        raise BuildError(
            "the build context changed while it was being built",
            hint="release again; keep files that are written meanwhile out with .dockerignore",
        )
