"""render: what the platform would be given, as text. Nothing is deployed; with an image no cluster is asked either."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shipper.errors import PlatformError, UsageError
from shipper.model import Release, fingerprint_of, new_release_id
from shipper.operations.rendered_files import WrittenOut, header, write_out
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_place, open_workspace
from shipper.pipeline.cancellation import RunCancellation
from shipper.rollout.platform_errors import not_written
from shipper.targets import Renders, Target

KUSTOMIZATION = "kustomization.yaml"

Files = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RenderOptions:
    """`image`: this one with the configuration of now; what serves, else the newest release, when None."""

    image: str | None = None
    kustomize: bool = False


def render(where: Where, options: RenderOptions) -> Files:
    """File name and text, the same bytes for the same release.

    Raises ConfigError, UsageError (2), CredentialsError (32), UnreachableError (33).
    """
    workspace = open_workspace(where) if options.image else open_place(where)
    target = workspace.connect()
    if not isinstance(target, Renders):
        raise UsageError(
            f"a {target.kind} target has nothing to write out", hint="it is for kinds with manifests, as kubernetes"
        )
    try:
        release = _of_image(workspace, options.image) if options.image else _released(workspace, target)
        files = tuple(target.render(without_versions(release)))
    except PlatformError as error:
        raise not_written(error) from error
    return _finished(files, workspace, kustomize=options.kustomize)


def write(where: Where, options: RenderOptions, directory: Path) -> WrittenOut:
    """Into this directory, each file whole or not at all; ours that are not rendered any more go, no others."""
    return write_out(render(where, options), directory)


def without_versions(release: Release) -> Release:
    """With secrets as the configuration names them: what is in a repository does not know the cluster's versions."""
    return release.model_copy(update={"secret_versions": dict(release.settings.run.secrets)})


def kustomization(names: Sequence[str]) -> str:
    """A kustomization of these files."""
    lines = [f"- {name}" for name in names]
    return "\n".join(["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "resources:", *lines, ""])


def _finished(files: Files, workspace: Workspace, *, kustomize: bool) -> Files:
    if kustomize:
        files = (*files, (KUSTOMIZATION, kustomization([name for name, _ in files])))
    first = header(workspace.service, workspace.environment)
    return tuple((name, f"{first}\n{text}") for name, text in files)


def _of_image(workspace: Workspace, reference: str) -> Release:
    from shipper.registries.resolving import resolve

    settings = workspace.settings
    image = resolve(reference, settings.image.platform, RunCancellation())
    images = {"main": image}
    return Release(
        id=new_release_id(),
        number=0,
        fingerprint=fingerprint_of(images, settings, {}),
        images=images,
        settings=settings,
        target=workspace.chosen.name,
        place=workspace.chosen,
        created=time.time(),
    )


def _released(workspace: Workspace, target: Target) -> Release:
    """The release that serves; the newest one where none of ours does."""
    records = target.records()
    if not records:
        raise UsageError(
            f"{workspace.service} was never released to {workspace.chosen.name}",
            hint="name its image: --image REPOSITORY@sha256:…",
        )
    main = target.observe().main
    serving = [one for one in records if main is not None and one.id == main.release]
    return serving[0] if serving else records[-1]
