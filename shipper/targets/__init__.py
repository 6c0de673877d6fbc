"""Targets: the protocol, discovery, and what adapters may use of ours."""

from shipper.errors import (
    Conflict,
    Denied,
    HalfDone,
    Invalid,
    NotFound,
    PlatformError,
    Transient,
    UsageError,
    caused_by,
)
from shipper.targets.changes import change_of, configuration_changes
from shipper.targets.container import SECRETS_DIRECTORY, container_options
from shipper.targets.deleting import delete_each
from shipper.targets.matching import difference
from shipper.targets.probing import NothingListens, asked_over_http
from shipper.targets.protocol import (
    AsksInside,
    Authorizes,
    Collects,
    Compares,
    Diagnoses,
    Finishes,
    GivesBack,
    KeysSecrets,
    Measures,
    PinsSecrets,
    Probes,
    Renders,
    Replaces,
    Retired,
    RunsOnce,
    SplitsTraffic,
    StoresImages,
    StreamsLogs,
    Target,
    TargetContext,
    TargetKind,
)
from shipper.targets.retry import retry_transient
from shipper.targets.unbuilt import UNBUILT, as_planned, unbuilt
from shipper.targets.urls import settings_from_url

__all__ = [
    "AsksInside", "Authorizes", "Collects", "Compares", "Conflict", "Denied", "Diagnoses", "Finishes", "GivesBack",
    "HalfDone", "Invalid", "KeysSecrets", "Measures", "NotFound", "NothingListens", "PinsSecrets", "PlatformError",
    "Probes", "Renders", "Replaces", "Retired", "RunsOnce", "SECRETS_DIRECTORY", "SplitsTraffic", "StoresImages",
    "StreamsLogs", "Target", "TargetContext", "TargetKind", "Transient", "UNBUILT", "UsageError", "as_planned",
    "asked_over_http", "caused_by", "change_of", "configuration_changes", "container_options", "delete_each",
    "difference", "retry_transient", "settings_from_url", "unbuilt",
]  # fmt: skip
