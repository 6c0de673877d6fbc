"""One service as the state keeps it, and what a write makes of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from google.cloud import run_v2
from google.iam.v1.policy_pb2 import Policy
from google.longrunning.operations_pb2 import Operation

from tests.rig.google.cloudrun.conditions import PENDING, condition, now
from tests.rig.google.cloudrun.contract import Outcome
from tests.rig.google.cloudrun.names import ServiceName, short
from tests.rig.google.cloudrun.policies import with_etag

# Fields that only the service sets (their descriptions say "Output only"), and name and etag.
_OUTPUT_ONLY = (
    "name",
    "uid",
    "generation",
    "create_time",
    "update_time",
    "delete_time",
    "expire_time",
    "creator",
    "last_modifier",
    "observed_generation",
    "terminal_condition",
    "conditions",
    "latest_ready_revision",
    "latest_created_revision",
    "traffic_statuses",
    "uri",
    "urls",
    "satisfies_pzs",
    "threat_detection_enabled",
    "reconciling",
    "etag",
)


@dataclass
class Kept:
    """A service, its revisions and what is under way. Guarded by the state's lock.

    `used` holds every revision name ever given: a deleted revision's name is not free again while the service lives
    (not verified; Knative would let it be used again, so this is the stricter reading of "unique").
    `programmed` is the newest generation whose routes may be set: its share of the delay has passed.
    """

    service: run_v2.Service
    name: ServiceName
    revisions: dict[str, run_v2.Revision] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    made: int = 0
    programmed: int = 0
    running: dict[int, Operation] = field(default_factory=dict)
    deleting: Operation | None = None
    policy: Policy = field(default_factory=lambda: with_etag(Policy()))

    def touch(self) -> None:
        """A new etag and update time."""
        self.service.etag = f'"{uuid.uuid4().hex[:16]}"'
        self.service.update_time = now()

    def begin(self, wanted: run_v2.Service, principal: str) -> None:
        """Take over a new desired state: next generation, reconciling, what serves unchanged."""
        before = self.service
        carry_output(before, wanted)
        wanted.generation = before.generation + 1
        wanted.last_modifier = principal
        wanted.reconciling = True
        wanted.terminal_condition = condition("Ready", PENDING)
        wanted.conditions = [condition("RoutesReady", PENDING), condition("ConfigurationsReady", PENDING)]
        self.service = wanted
        self.touch()

    def routed(self) -> dict[str, int]:
        """Full revision name -> percent, of what is routed now; revisions that are only tagged have 0."""
        found = dict[str, int]()
        for status in self.service.traffic_statuses:
            name = self.full(status.revision) if status.revision else self.service.latest_ready_revision
            found[name] = found.get(name, 0) + status.percent
        return found

    def full(self, revision: str) -> str:
        return f"{self.name}/revisions/{short(revision)}"

    def newest(self) -> run_v2.Revision | None:
        return self.revisions.get(self.service.latest_created_revision)


def carry_output(before: run_v2.Service, wanted: run_v2.Service) -> None:
    """Put into `wanted` what only the service sets, from `before`; what a client sent there is ignored."""
    source, made = run_v2.Service.pb(before), run_v2.Service.pb(wanted)
    for name in _OUTPUT_ONLY:
        made.ClearField(name)
        field_ = source.DESCRIPTOR.fields_by_name[name]
        if field_.is_repeated:
            getattr(made, name).extend(getattr(source, name))
        elif field_.message_type is not None:
            if source.HasField(name):
                getattr(made, name).CopyFrom(getattr(source, name))
        else:
            setattr(made, name, getattr(source, name))


def same_template(one: run_v2.RevisionTemplate, other: run_v2.RevisionTemplate) -> bool:
    """Whether two templates (defaults filled in) ask for the same revision, its name included."""
    raw_one, raw_other = run_v2.RevisionTemplate.pb(one), run_v2.RevisionTemplate.pb(other)
    return bool(raw_one == raw_other)
