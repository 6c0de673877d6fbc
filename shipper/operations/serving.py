"""What serves, and the configuration that it was released with: it is judged by its own, not by that of today."""

from __future__ import annotations

from dataclasses import dataclass

from shipper.errors import LedgerError, PlatformError
from shipper.ledger.protocol import Ledger
from shipper.model import Observation, Release, Revision, Settings, Verdict
from shipper.model.context import Cancellation, Reporter
from shipper.rollout.known import Known, KnownRelease, known
from shipper.rollout.platform_errors import not_written
from shipper.rollout.verify import verify
from shipper.targets import Target


@dataclass(frozen=True)
class Serving:
    """What was found on the target, and what is known of it."""

    observation: Observation
    known: Known
    release: KnownRelease | None
    """The release that serves, as people count: after a rollback the newer number."""
    record: Release | None
    """Its whole record, for its configuration."""

    @property
    def main(self) -> Revision | None:
        """The revision with the most traffic."""
        return self.observation.main

    @property
    def name(self) -> str:
        """Such as "#44 (rollback to #41)"; the revision's own name when it is no release; empty for nothing."""
        if self.release is not None:
            return self.release.name
        return self.main.name if self.main is not None else ""


def look(target: Target, ledger: Ledger | None, report: Reporter) -> Serving:
    """Ask target and ledger. Raises CredentialsError (32), UnreachableError (33) when the target does not answer."""
    try:
        observation = target.observe()
    except PlatformError as error:
        raise not_written(error) from error
    for text in observation.remarks:
        report.remark(text)
    found = known(target, ledger, report, observation=observation)
    release = found.serving(observation.main) if observation.main is not None else None
    return Serving(observation, found, release, _record(found, release))


def prove(target: Target, serving: Serving, settings: Settings, cancel: Cancellation) -> Verdict | None:
    """Whether what serves answers as it must, by the configuration that it was released with; by `settings` when
    that is not known. What served before shipper came is asked nothing more once a rollback has gone back to it. None
    when nothing serves.
    """
    if serving.main is None:
        return None
    own = serving.record.settings if serving.record is not None else settings
    given_back = serving.release is not None and serving.release.gave_back
    return verify(target, serving.main.name, own.health, own.smoke, cancel, routing_only=given_back)


def _record(found: Known, release: KnownRelease | None) -> Release | None:
    try:
        return found.record(release) if release is not None else None
    except LedgerError:
        return None
