"""release: from the sources to verified traffic, told as events, ended by an exit code that says what serves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shipper.errors import PlatformError, ShipperError, UsageError
from shipper.model import Admission, Product, Remark, RunFinished, Sealed
from shipper.model.quantities import show_count, show_size
from shipper.operations.gc import clear_away
from shipper.operations.holding import holding
from shipper.operations.orders import order_of
from shipper.operations.services import Place, Workshop, keep_in_mind, open_place_of, open_workshop, require_secrets
from shipper.operations.telling import Telling, done, tell
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_workspace
from shipper.pipeline import Journal, Sink, StageReporter
from shipper.targets import Collects


@dataclass(frozen=True)
class ReleaseOptions:
    """`fresh` uses nothing that an earlier run found out; `image` and `config_only` build nothing."""

    fresh: bool = False
    image: str | None = None
    config_only: bool = False
    wait: float = 0.0
    allow_older: bool = False

    @property
    def pipeline(self) -> str:
        """Its name."""
        return "release_image" if self.image else "release_config" if self.config_only else "release"

    @property
    def command(self) -> str:
        """As it is told: runs of one kind are compared with each other."""
        return "release --image" if self.image else "release --config-only" if self.config_only else "release"


def release(where: Where, sinks: Sequence[Sink], options: ReleaseOptions | None = None) -> int:
    """Run the release pipeline and return the exit code; every ending is told as the event `run-finished`.

    Raises only what is no ShipperError: a bug of ours.
    """
    chosen = options or ReleaseOptions()
    return tell(sinks, lambda telling: _release(where, chosen, telling))


def _release(where: Where, options: ReleaseOptions, telling: Telling) -> RunFinished:
    if options.image and options.config_only:
        raise UsageError(
            "--image and --config-only exclude each other",
            hint="--image releases that image with the configuration of now, too",
        )
    workspace = open_workspace(where)
    require_secrets(workspace, tried=not options.config_only, built=not (options.image or options.config_only))
    telling.begin(options.command, workspace)
    place = open_place_of(workspace, telling)
    with _workshop(workspace, options) as workshop:
        try:
            sealed = _run(workspace, options, place, workshop.services if workshop else {}, telling)
        finally:
            keep_in_mind(workspace, place, telling)
        if sealed.deployment.changed and workshop is not None:
            _tidy(workspace, place, workshop, telling)
    number = sealed.deployment.number
    return done(sealed, verb="released", nothing=f"release {number} already serves exactly this")


@contextlib.contextmanager
def _workshop(workspace: Workspace, options: ReleaseOptions) -> Iterator[Workshop | None]:
    """None when nothing is built or judged."""
    if options.config_only:
        yield None
        return
    with open_workshop(workspace) as workshop:
        yield workshop


def _run(
    workspace: Workspace, options: ReleaseOptions, place: Place, workshop: Mapping[str, object], telling: Telling
) -> Sealed:
    services = {**place.by_name(), "configuration": workspace.configuration, **workshop}
    journal = None if options.fresh else Journal.default()
    return telling.carry_out(options.pipeline, Sealed, _seeds(workspace, options, telling), services, journal)


def _seeds(workspace: Workspace, options: ReleaseOptions, telling: Telling) -> tuple[Product, ...]:
    order = order_of(telling.run, "release", wait=options.wait, allow_older=options.allow_older)
    admission = (Admission(reference=options.image),) if options.image else ()
    return (order, *admission, *workspace.slices)


def _tidy(workspace: Workspace, place: Place, workshop: Workshop, telling: Telling) -> None:
    """What no way back needs any more goes. What fails here fails nobody: the release serves."""
    try:
        if isinstance(place.target, Collects):
            _clear_away(workspace, place, telling)
        # Without a registry, here or in another environment, the engine's images are the way back.
        if workspace.settings.image.repository is not None and not workshop.engine.hosts_services():
            workshop.engine.prune(workspace.service)
    except (ShipperError, PlatformError) as error:
        telling.events.emit(Remark(text=f"what old releases left was not cleared away: {error}"))


def _clear_away(workspace: Workspace, place: Place, telling: Telling) -> None:
    order = order_of(telling.run, "gc")
    report = StageReporter(telling.events, "gc")
    with holding(place, order, telling, report) as held:
        gone = clear_away(held, workspace.settings.rollback.releases, report)
    if gone:
        freed = show_size(sum(one.size or 0 for one in gone))
        report.remark(f"cleared away what no way back needs: {show_count(len(gone), 'thing')}, {freed}")
