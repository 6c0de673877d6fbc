"""publish: from the sources to an image in its registry that was judged. Whoever deploys it is somebody else."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shipper.errors import PlatformError, ShipperError
from shipper.model import Admission, Deployable, Product, Remark, RunFinished
from shipper.operations.services import Workshop, open_workshop, require_secrets
from shipper.operations.telling import Telling, tell
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_workspace
from shipper.pipeline import Journal, Sink, StageReporter
from shipper.targets import Renders, Target


@dataclass(frozen=True)
class PublishOptions:
    """`fresh` uses nothing that an earlier run found out; `image` is judged and published, and nothing is built."""

    fresh: bool = False
    image: str | None = None

    @property
    def pipeline(self) -> str:
        """Its name."""
        return "publish_image" if self.image else "publish"

    @property
    def command(self) -> str:
        """As it is told: runs of one kind are compared with each other."""
        return "publish --image" if self.image else "publish"


def publish(where: Where, sinks: Sequence[Sink], options: PublishOptions | None = None) -> int:
    """Run the publish pipeline and return the exit code; every ending is told as the event `run-finished`.

    Nothing is written to the target or to a ledger. Raises only what is no ShipperError: a bug of ours.
    """
    chosen = options or PublishOptions()
    return tell(sinks, lambda telling: _publish(where, chosen, telling))


def _publish(where: Where, options: PublishOptions, telling: Telling) -> RunFinished:
    workspace = open_workspace(where)
    require_secrets(workspace, built=options.image is None)
    telling.begin(options.command, workspace)
    target = workspace.connect(StageReporter(telling.events, "preflight"), telling.cancel)
    with open_workshop(workspace) as workshop:
        services = {
            "target": target,
            "secrets": workspace.secrets,
            "configuration": workspace.configuration,
            "clock": telling.clock,
            **workshop.services,
        }
        reference = _run(workspace, options, services, telling)
        _tidy(workspace, workshop, telling)
    return RunFinished(
        code=0,
        cause="published",
        message=f"the image of {workspace.service} is published; nothing was deployed",
        hint=next_command(where, reference, target),
        image=reference,
    )


def _run(workspace: Workspace, options: PublishOptions, services: Mapping[str, object], telling: Telling) -> str:
    """The reference by digest."""
    seeds: tuple[Product, ...] = workspace.slices
    if options.image:
        seeds = (*seeds, Admission(reference=options.image))
    journal = None if options.fresh else Journal.default()
    return telling.carry_out(options.pipeline, Deployable, seeds, services, journal).images["main"].reference


def next_command(where: Where, reference: str, target: Target) -> str:
    """What deploys it: the manifests with this image, where the target has any, else a release of it."""
    words = ["shipper", "render" if isinstance(target, Renders) else "release"]
    words += ["-C", str(where.directory)] if where.directory is not None else []
    words += ["--env", where.environment] if where.environment != Where.environment else []
    words += ["--target", where.target] if where.target is not None else []
    words += ["--image", reference]
    return shlex.join([*words, "--out", "DIR"] if isinstance(target, Renders) else words)


def _tidy(workspace: Workspace, workshop: Workshop, telling: Telling) -> None:
    """Old images on the engine, as after a release. What fails here fails nobody: the image is published."""
    try:
        if not workshop.engine.hosts_services():
            workshop.engine.prune(workspace.service)
    except (ShipperError, PlatformError) as error:
        telling.events.emit(Remark(text=f"old images on the engine were not cleared away: {error}"))
