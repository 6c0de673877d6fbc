"""Everything that one rollout works with, and what it reads before it may write."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

from shipper.errors import LedgerError, PlatformError
from shipper.ledger.protocol import Ledger
from shipper.model import (
    Deployable,
    Deployment,
    Observation,
    Order,
    Release,
    Revision,
    Settings,
    TargetSettings,
    Verdict,
    fingerprint_of,
)
from shipper.model.context import Cancellation, Clock, Reporter, Secrets
from shipper.rollout.known import DEAD
from shipper.rollout.patience import Patience, last_patience, rollout_patience
from shipper.rollout.platform_errors import not_written
from shipper.rollout.secret_versions import secret_versions_of
from shipper.rollout.verify import verify
from shipper.targets import Renders, Target


@dataclass(frozen=True)
class Run:
    """Everything that a rollout works with."""

    deployable: Deployable
    order: Order
    chosen: TargetSettings
    target: Target
    ledger: Ledger
    secrets: Secrets
    report: Reporter
    cancel: Cancellation
    clock: Clock
    started: float

    @property
    def settings(self) -> Settings:
        """Of the deployable."""
        return self.deployable.settings

    @property
    def rolls_back(self) -> bool:
        """Whether an earlier release comes back."""
        return self.deployable.origin == "rollback"

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self.clock.monotonic() - self.started

    @cached_property
    def patience(self) -> Patience:
        """For what comes before the first write."""
        return rollout_patience(self.cancel, self.clock, self.settings.rollout.deadline)

    def observe(self) -> Observation:
        """Raises what keeps us from writing at all."""
        try:
            return self.patience.read(self.target.observe)
        except PlatformError as error:
            raise not_written(error) from error

    def last(self) -> Patience:
        """For what must be written although the run was cancelled."""
        return last_patience(self.cancel, self.clock)

    def fingerprint(self, versions: dict[str, str]) -> str:
        """Of what is to be deployed. A release that comes back has its own: its recorded settings may be scaled."""
        if self.deployable.fingerprint is not None:
            return self.deployable.fingerprint
        return fingerprint_of(self.deployable.images, self.settings, versions, self.content)

    @cached_property
    def content(self) -> str:
        """What the target itself adds, as a digest."""
        if self.deployable.content is not None:
            return self.deployable.content
        target = self.target
        try:
            return self.patience.read(lambda: target.content(self.settings)) if isinstance(target, Renders) else ""
        except PlatformError as error:
            raise not_written(error) from error

    def versions(self, *, make_key: bool) -> dict[str, str] | None:
        """Of the secrets; None while the place has no key for them, unless it may be made."""
        if self.deployable.secret_versions is not None:
            return self.deployable.secret_versions
        if not self.settings.run.secrets:
            return {}
        found = partial(secret_versions_of, self.settings, self.secrets, self.target, make_key=make_key)
        try:
            return self.patience.read(found)
        except PlatformError as error:
            raise not_written(error) from error

    def nothing_to_do(self, first: Observation) -> Deployment | None:
        """Seen without a lease: a release whose very content serves, is well, and was verified by its own run, which
        lived to record that.
        """
        main = first.main
        if self.rolls_back or main is None or first.in_flight is not None or first.drift:
            return None
        versions = self.versions(make_key=False)
        if versions is None or main.fingerprint != self.fingerprint(versions):
            return None
        if main.number not in first.stamp.verified or self._is_unrecorded(main):
            return None
        verdict = self.verify(main)
        return self.unchanged(first, main, main.number or first.highest, verdict) if verdict.ok else None

    def _is_unrecorded(self, main: Revision) -> bool:
        try:
            newest = self.ledger.state().releases[-1:]
        except LedgerError:  # nothing is written, so nothing is missed
            return False
        return any(one.outcome in DEAD and one.fingerprint == main.fingerprint for one in newest)

    def verify(self, revision: Revision) -> Verdict:
        """Whether this revision has all traffic and answers as it must."""
        settings = self.settings
        adopted = self.deployable.rollback_to == 0
        return self.patience.read(
            lambda: verify(
                self.target, revision.name, settings.health, settings.smoke, self.cancel, routing_only=adopted
            )
        )

    def unchanged(self, now: Observation, main: Revision, number: int, verdict: Verdict) -> Deployment:
        """What serves already is what was asked for."""
        return Deployment(
            changed=False,
            release_id=main.release or "",
            number=number,
            fingerprint=main.fingerprint or "",
            revision=main.name,
            previous=main.name,
            address=now.address,
            verdict=verdict,
            image=self.reference,
            seconds=self.seconds,
            rollback_to=self.deployable.rollback_to,
            ledger=self.ledger.url,
        )

    @property
    def reference(self) -> str:
        """The reference of the service's own image; empty for #0."""
        main = self.deployable.images.get("main")
        return main.reference if main else ""

    @cached_property
    def records(self) -> tuple[Release, ...]:
        """The platform's own."""
        try:
            return tuple(self.patience.read(self.target.records))
        except PlatformError as error:
            raise not_written(error) from error
