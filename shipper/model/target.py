"""What a target tells us and what we ask of it: the nouns of the Target protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from shipper.model.noun import Noun, Product
from shipper.model.release import Revision, Stamp
from shipper.model.settings import Settings


class Traits(Noun):
    """What a kind of target can do. The conformance suite chooses its scenarios by these."""

    strategies: tuple[str, ...]
    weight_step: int | None = Field(default=1, description="Smallest share of traffic in percent; None: no split.")
    max_sharing: int = Field(default=2, description="How many revisions can share traffic.")
    conditional_writes: bool = True
    probes_revisions: bool = False
    first_create_serves: bool = False
    needs_registry: bool = True
    holds_lock: bool = Field(
        default=False, description="Writers of several machines exclude each other on the platform itself."
    )
    keeps_revisions: bool = Field(
        default=False,
        description="A revision without traffic costs nothing and is its release's record: only `gc` removes it.",
    )
    times_starts: bool = Field(
        default=False,
        description="The platform gives a start up after `[health] startup` by itself, not counting what comes before "
        "it, such as the image pull: `[rollout] timeout` is what shipper waits.",
    )
    scales_to_zero: bool = Field(
        default=False, description="A revision may have no instance: then the first request waits for a start."
    )
    routes_late: bool = Field(
        default=False, description="What the platform says is routed may reach its address a moment later."
    )
    secrets_change_in_place: bool = Field(
        default=False,
        description="A secret has one value at a time: what it was is gone once somebody changes it, so a rollback "
        "takes those of now.",
    )
    secret_references: tuple[str, ...] = Field(
        default=("env", "file"), description="Schemes of the references in `[run.secrets]` that it takes."
    )


class Problem(Noun):
    """Why a release cannot go to this target, found before the build."""

    code: Literal[2, 32, 33] = Field(description="The exit code: 2 configuration, 32 credentials, 33 unreachable.")
    message: str
    key: str = Field(
        default="",
        description='The configuration key, such as "run.memory"; "targets.port" of the target\'s own settings, '
        "whose name is put in where it is told.",
    )
    hint: str = ""
    place: str = Field(
        default="", description='Where the key is written, such as "shipper.toml:7:3"; never the target\'s.'
    )

    def told_of(self, target: str, place_of: Callable[[str], str]) -> Problem:
        """As it is told of the target that the file calls `target`: `targets.port` is `targets.shop.port` there."""
        table = f"targets.{target}"
        key = table + self.key.removeprefix("targets") if f"{self.key}.".startswith("targets.") else self.key
        words = {name: getattr(self, name).replace("targets.<name>", table) for name in ("message", "hint")}
        return self.model_copy(update={"key": key, "place": place_of(key) if key else "", **words})


class TargetSpec(Noun):
    """What preflight is asked about."""

    settings: Settings
    target: str
    command: Literal["plan", "release"] = Field(
        default="release",
        description="A plan asks for the permissions that it needs itself, and tells what a release lacks.",
    )


class Readiness(Product):
    """The preflight's product: the target accepts this release, as far as can be said before the build."""

    target: str
    kind: str
    platform: str = Field(description="The platform to build for: configured, or the target's own.")
    remarks: tuple[str, ...] = ()


class Address(Noun):
    """Where the service answers."""

    url: str
    host: str | None = Field(default=None, description="Host header to send when the URL's own does not route.")
    reach: Literal["local", "public", "internal", "authenticated"] = "local"
    unreached: str = Field(default="", exclude=True, description="What to do where nobody gets there from here.")
    misled: str = Field(
        default="", exclude=True, description="What to do where something answers there, and perhaps not the service."
    )


class Drift(Noun):
    """A field that we own and somebody else changed."""

    field: str
    ours: str
    found: str


class Observation(Noun):
    """What the platform says now. `seen` is opaque: it goes back with the next write."""

    seen: str
    serving: tuple[Revision, ...] = Field(default=(), description="Revisions with weight > 0.")
    revisions: tuple[Revision, ...] = Field(default=(), description="Every revision of ours, serving or not.")
    idle: tuple[str, ...] = Field(
        default=(),
        description="Names of running revisions that have no instance just now: the first request starts one. Empty "
        "where the platform does not say.",
    )
    stamp: Stamp = Field(default_factory=Stamp)
    highest: int = Field(default=0, description="The highest release number found on the platform.")
    in_flight: str | None = None
    unsettled: str | None = Field(
        default=None,
        description="What the platform still works on before it serves as it says; the next write may overwrite it.",
    )
    drift: tuple[Drift, ...] = ()
    remarks: tuple[str, ...] = Field(
        default=(), description="What was changed by hand beside our fields: it is no drift, and stays."
    )
    capacity: int | None = None
    capacity_owner: str = "shipper"
    address: Address | None = None

    @property
    def main(self) -> Revision | None:
        """The revision with the most traffic, if any."""
        return max(self.serving, key=lambda revision: revision.weight, default=None)


class Change(Noun):
    """One line of a plan."""

    action: Literal["create", "change", "remove", "keep", "shift"]
    subject: str
    before: str = ""
    after: str = ""


class Plan(Noun):
    """What a release would do. Printable and JSON; planning never writes."""

    summary: str
    changes: tuple[Change, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return all(change.action == "keep" for change in self.changes)


class Dossier(Noun):
    """Why a revision failed, in one screen."""

    cause: str = Field(description="Kebab-case: crashed, not-ready, bad-status, out-of-memory, wrong-architecture …")
    reason: str = Field(description="One line for people.")
    log_tail: tuple[str, ...] = ()
    hint: str = ""
    exit_status: int | None = None


class Progress(Noun):
    """One step of a revision's way to ready. `failed` means: this can never heal."""

    state: Literal["waiting", "ready", "failed"]
    reason: str = ""
    dossier: Dossier | None = None


class ProbeRequest(Noun):
    """An HTTP request to one revision."""

    method: str = "GET"
    path: str = "/"
    headers: dict[str, str] = Field(default_factory=dict)
    body: bytes = b""
    timeout: float = 5.0


class ProbeResponse(Noun):
    """Its answer. `revision` is the name that the platform put into the answer, when it does that."""

    status: int
    headers: dict[str, str]
    body: bytes
    revision: str | None = None


class Verdict(Noun):
    """What verification found, and at which level of proof."""

    ok: bool
    proof: Literal["none", "routing", "answer", "identity"]
    reason: str = ""
    probes: tuple[dict[str, Any], ...] = ()
    hint: str = Field(default="", exclude=True, description="What to do; told, never recorded.")
    unreached: str = Field(default="", exclude=True, description="Why no connection was made; told, never recorded.")
    said: str = Field(default="", exclude=True, description="How a wrong answer begins; told, never recorded.")


class Traffic(Noun):
    """What a revision was asked and how it answered, as the platform counted since some moment of its own.

    Only differences between two readings mean something; a reading below an earlier one means that counting began
    anew. `buckets`: upper bound in seconds -> requests that took at most so long (cumulative).
    """

    requests: int = 0
    errors: int = Field(default=0, description="5xx answers, and requests that got no answer.")
    buckets: dict[float, int] = Field(default_factory=dict)


class Restorable(Noun):
    """Whether a release of then can come back, and how fast."""

    warm: bool = Field(default=False, description="Its revision lives: one traffic write brings it back.")
    problems: tuple[str, ...] = Field(default=(), description="What is gone (image, secret values), and what to pass.")


class Garbage(Noun):
    """Something of ours on a target that nothing there needs any more."""

    kind: str = Field(description="revision, record, secrets, image, leftover, or the adapter's own word.")
    name: str = Field(description="The platform's name for it; with `kind` it is found again.")
    why: str = Field(description='For people, such as "release 3 is older than the last 5 verified ones".')
    size: int | None = Field(default=None, description="Bytes that its removal frees, when known.")


class Deployment(Product):
    """What the rollout ended with."""

    changed: bool = Field(description="False when the same fingerprint already served: nothing to do.")
    release_id: str
    number: int
    fingerprint: str
    revision: str
    previous: str | None = None
    address: Address | None
    verdict: Verdict
    image: str = Field(description="The reference that serves.")
    seconds: float
    rollback_to: int | None = None
    ledger: str = Field(default="", description="URL of the ledger that has it; empty when it could not be recorded.")


class Sealed(Product):
    """The goal of the release pipeline: the result, as it is told and kept."""

    deployment: Deployment
    remarks: tuple[str, ...] = ()
    rollback: str = Field(description="The last line: ready, or why not.")
