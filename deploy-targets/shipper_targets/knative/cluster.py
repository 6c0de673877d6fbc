"""What this cluster's Knative allows: its ConfigMaps, as far as we may read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shipper.targets import Denied
from shipper_targets.knative.kinds import AUTOSCALING
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import CONFIG_MAP
from shipper_targets.kubernetes.values import mapping

SYSTEM = "knative-serving"
"""The namespace that Knative's own installation uses; nobody can ask it for another one's name."""

_ON_BY_DEFAULT = ("multi-container", "kubernetes.podspec-volumes-emptydir")
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
_SECURE = "secure-pod-defaults"


@dataclass(frozen=True)
class Cluster:
    """config-features, config-defaults and config-autoscaler; Knative's own defaults where nothing is set.

    `known`: whether they could be read. What depends on them is the webhook's to say otherwise.
    """

    features: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    autoscaler: Mapping[str, str] = field(default_factory=dict)
    known: bool = True

    def has(self, feature: str) -> bool:
        """Whether a feature flag is "enabled"."""
        return self._flag(feature) == "enabled"

    def allows(self, feature: str) -> bool:
        """Whether a feature flag is anything but "disabled": "allowed" lets those have it who ask for it."""
        return self._flag(feature) != "disabled"

    @property
    def secure_defaults(self) -> bool:
        """Whether Knative itself makes containers tight: then it lets these loosen it."""
        return self._flag(_SECURE) in ("enabled", "allowrootbounded")

    @property
    def longest_request(self) -> int:
        """Seconds that timeoutSeconds may have at most."""
        return _whole(self.defaults, "max-revision-timeout-seconds", 600)

    @property
    def most_concurrent(self) -> int:
        """What containerConcurrency may be at most."""
        return _whole(self.defaults, "container-concurrency-max-limit", 1000)

    @property
    def least_concurrent(self) -> int:
        """What containerConcurrency may be at least; 0: without a limit."""
        return 0 if _truth(self.defaults, "allow-container-concurrency-zero", default=True) else 1

    @property
    def most_instances(self) -> int:
        """What max-scale may be at most; 0: anything."""
        return _whole(self.autoscaler, "max-scale-limit", 0)

    @property
    def starts_at_zero(self) -> bool:
        """Whether initial-scale may be 0."""
        return _truth(self.autoscaler, "allow-zero-initial-scale", default=False)

    @property
    def autoscaler_class(self) -> str:
        """Which autoscaler a revision has that asks for none."""
        return self.autoscaler.get("pod-autoscaler-class", "") or f"kpa.{AUTOSCALING}"

    def _flag(self, feature: str) -> str:
        default = "enabled" if feature in _ON_BY_DEFAULT else "disabled"
        return self.features.get(feature, default).lower()


def read_cluster(api: Api) -> Cluster:
    """As it is. Raises Transient. Who may not read it gets Knative's own defaults, and knows that."""
    found: dict[str, Mapping[str, str]] = {}
    for name in ("features", "defaults", "autoscaler"):
        try:
            there = api.find(CONFIG_MAP, f"config-{name}", SYSTEM)
        except Denied:
            return Cluster(known=False)
        if there is None:
            return Cluster(known=False)
        found[name] = {key: str(value) for key, value in mapping(there, "data").items()}
    return Cluster(found["features"], found["defaults"], found["autoscaler"])


def _truth(data: Mapping[str, str], key: str, *, default: bool) -> bool:
    """As Go's strconv.ParseBool reads it."""
    text = data.get(key)
    return text in _TRUE if text in (*_TRUE, *_FALSE) else default


def _whole(data: Mapping[str, str], key: str, default: int) -> int:
    try:
        return int(data[key])
    except (KeyError, ValueError):
        return default
