"""Why a revision is not ready, in Knative's own words where no pod says more. Pure.

Reasons are those of knative/serving v0.48 (pkg/apis/serving/v1/revision_lifecycle.go and its reconcilers).
"""

from __future__ import annotations

from shipper_targets.knative.conditions import told_by
from shipper_targets.kubernetes.findings import Finding, failed
from shipper_targets.kubernetes.refusals import admission_hint
from shipper_targets.kubernetes.scheduling import scheduler_words
from shipper_targets.kubernetes.values import Object
from shipper_targets.kubernetes.verdicts import QUOTA

_REASONS: dict[str, tuple[str, str]] = {
    "ContainerMissing": ("image-missing", "is it in the registry? Does the cluster's Knative reach it? Publish again"),
    "ImagePullBackOff": ("image-missing", "is it in the registry, and may the nodes read it (image_pull_secrets)?"),
    "ErrImagePull": ("image-missing", "is it in the registry, and may the nodes read it (image_pull_secrets)?"),
    "InvalidImageName": ("image-missing", "look at the image's name"),
    "CreateContainerConfigError": ("config-missing", "is each Secret and ConfigMap there that it refers to?"),
    "ProgressDeadlineExceeded": ("not-ready", "if it is still loading, raise [rollout] timeout; else read its log"),
    "NotOwned": ("name-taken", "a Service or endpoint of this name is somebody else's: choose another name"),
    "RevisionNameTaken": ("name-taken", "another revision has this name: release again"),
    "Unschedulable": ("no-capacity", "ask for less, or add nodes"),
}


def finding_of(condition: Object) -> Finding:
    """A condition that is False, as a finding. Causes: those above, refused, quota, crashed, platform."""
    reason, message = told_by(condition)
    words = (scheduler_words(message) if reason == "Unschedulable" else message) or reason or "not ready"
    if QUOTA.search(words):
        return failed("quota", words, "raise the namespace's ResourceQuota, or ask for less")
    if reason == "FailedCreate":
        return failed("refused", f"{reason}: {words}", admission_hint(words))
    if reason.startswith("ExitCode"):
        code = reason.removeprefix("ExitCode")
        return failed("crashed", f"ended with exit {code}: {words}", "read its last lines: shipper logs")
    cause, hint = _REASONS.get(reason, ("platform", "kubectl describe ksvc, revision"))
    return failed(cause, f"{reason}: {words}" if reason and reason not in words else words, hint)
