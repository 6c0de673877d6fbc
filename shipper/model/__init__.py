"""The nouns: frozen types that everything else speaks in. Imports nothing of ours."""

from shipper.model.deployable import Deployable
from shipper.model.event import (
    Event,
    EvidenceFound,
    GateJudged,
    Remark,
    RunFinished,
    RunStarted,
    Serves,
    StageFinished,
    StageLog,
    StageProgress,
    StageStarted,
    TrafficShifted,
)
from shipper.model.evidence import (
    Approval,
    Evidence,
    Finding,
    ImageScan,
    Lint,
    Probe,
    Sbom,
    Size,
    Smoke,
    SourceScan,
    as_summary,
)
from shipper.model.image import Digest, Image, ImageRef, LargeFile, Source
from shipper.model.ledger import (
    Adopted,
    Entry,
    Fact,
    Finished,
    Holder,
    LedgerState,
    Outcome,
    Recorded,
    Removed,
    Started,
    Unknown,
)
from shipper.model.noun import Noun, Product, digest_of
from shipper.model.order import Admission, Order, Wanted
from shipper.model.release import Release, Revision, Stamp, fingerprint_of, known_as, new_release_id, short
from shipper.model.secret import Secret, redact
from shipper.model.settings import (
    Expectation,
    GateSettings,
    GoldenRequest,
    HealthSettings,
    ImageSettings,
    LedgerSettings,
    RollbackSettings,
    RolloutSettings,
    RunSettings,
    ScaleSettings,
    ScanPolicy,
    ServiceSettings,
    Settings,
    SmokeSettings,
    Strategy,
    TargetSettings,
    Volume,
)
from shipper.model.target import (
    Address,
    Change,
    Deployment,
    Dossier,
    Drift,
    Garbage,
    Observation,
    Plan,
    ProbeRequest,
    ProbeResponse,
    Problem,
    Progress,
    Readiness,
    Restorable,
    Sealed,
    TargetSpec,
    Traffic,
    Traits,
    Verdict,
)
