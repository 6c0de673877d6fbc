"""The nouns: frozen types that everything else speaks in. Imports nothing of ours."""

from shipper.model.event import (
    Event,
    EvidenceFound,
    Remark,
    RunFinished,
    RunStarted,
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
from shipper.model.image import Deployable, Digest, Image, ImageRef, LargeFile, Source
from shipper.model.noun import Noun, Product, digest_of
from shipper.model.release import Release, Revision, Stamp, fingerprint_of, new_release_id
from shipper.model.secret import Secret, redact
from shipper.model.settings import (
    Expectation,
    GoldenRequest,
    HealthSettings,
    ImageSettings,
    RolloutSettings,
    RunSettings,
    ScaleSettings,
    ScanPolicy,
    ServiceSettings,
    Settings,
    SmokeSettings,
    TargetSettings,
    Volume,
)
from shipper.model.target import (
    Address,
    Change,
    Deployment,
    Dossier,
    Drift,
    Observation,
    Plan,
    ProbeRequest,
    ProbeResponse,
    Problem,
    Progress,
    Readiness,
    Sealed,
    TargetSpec,
    Traits,
    Verdict,
)
