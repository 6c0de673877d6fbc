"""keep_image: the image of what serves, for a release that changes its configuration alone."""

from __future__ import annotations

from shipper.errors import LedgerError, PlatformError, UsageError
from shipper.ledger.protocol import Ledger
from shipper.model import Deployable, Readiness, Release, Revision, Settings
from shipper.model.context import Reporter
from shipper.rollout.platform_errors import not_written
from shipper.targets import Target


def keep_image(
    readiness: Readiness, settings: Settings, target: Target, ledger: Ledger, report: Reporter
) -> Deployable:
    """The serving release's images with this run's settings. Raises UsageError (2) when nothing of ours serves."""
    report.progress(f"looking what serves on {readiness.target}")
    try:
        serving = target.observe().main
        release = _release_of(serving, target, ledger) if serving is not None else None
    except PlatformError as error:
        raise not_written(error) from error
    if release is None:
        what = "nothing serves" if serving is None else f"{serving.name} was not released by shipper"
        raise UsageError(f"there is no image to keep: {what}", hint="release without --config-only")
    return Deployable(
        images=release.images,
        settings=settings,
        commit=release.commit,
        commit_time=release.commit_time,
        dirty=release.dirty,
        started_in=release.started_in,
        published=release.main.manifest_digest is not None,
        origin="image",
    )


def _release_of(serving: Revision, target: Target, ledger: Ledger) -> Release | None:
    """The record of what serves: the platform's own, else the ledger's."""
    for record in target.records():
        if record.id == serving.release:
            return record
    if serving.number is None:
        return None
    try:
        return ledger.release(serving.number)
    except LedgerError:
        return None
