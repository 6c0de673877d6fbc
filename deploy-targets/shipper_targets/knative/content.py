"""What the target itself adds to a release, and the Service as a file. Pure."""

from __future__ import annotations

from shipper.model import Release
from shipper.model.noun import digest_of
from shipper_targets.knative.cluster import Cluster
from shipper_targets.knative.drift import own_settings
from shipper_targets.knative.limits import limit_problems
from shipper_targets.knative.render import rendered
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes.files import refuse_unrenderable
from shipper_targets.kubernetes.text import yaml_text

NOT_CONTENT = frozenset(
    {"context", "kubeconfig", "in_cluster", "namespace", "name", "address", "reach", "unschedulable_window"}
)
"""Where it is, how it gets there, and how long we wait: the same release at another place has the same content."""


def content_of(own: KnativeSettings) -> str:
    """`sha256:<hex>` of the kind's own settings that decide how instances run: part of a release's fingerprint, so that
    changing one is a new release. Empty where everything is as it is by default.
    """
    chosen = own.model_dump(mode="json", exclude=set(NOT_CONTENT), exclude_defaults=True)
    return digest_of(chosen) if chosen else ""


def file_of(release: Release, own: KnativeSettings, service: str) -> tuple[str, str]:
    """File name and YAML, with the target's settings that the release was made with; those of now for one that is not
    made yet, or whose record does not tell. Raises ConfigError (2) for what Knative would refuse on any cluster in one
    that is not made yet.
    """
    if release.number:
        own = own_settings(release) or own
    else:
        refuse_unrenderable(limit_problems(release, own, service, Cluster(known=False)), release.target)
    return f"service-{service}.yaml", yaml_text(rendered(release, own, service))
