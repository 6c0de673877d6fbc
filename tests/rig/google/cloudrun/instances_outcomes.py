"""How a start ends, in Cloud Run's own words (pure).

The texts are those that users quote in public (github.com issues: googlecodelabs/feedback#1696 and #1814,
terraform-google-modules/terraform-docs-samples#254 and #606, google-github-actions/deploy-cloudrun#465,
dart-lang/pub-dev#9554); the reasons are names of Condition.CommonReason and Condition.RevisionReason. Which canonical
code each failure carries is from the same threads (9, in older runs 13); for memory and secrets it is not verified.
"""

from __future__ import annotations

from urllib.parse import quote

from tests.rig.google.cloudrun.contract import Outcome, RunSpec
from tests.rig.google.cloudrun.errors import ApiError

_GUIDANCE = "For more troubleshooting guidance, see https://cloud.google.com/run/docs/troubleshooting"


def log_uri(spec: RunSpec) -> str:
    """The address of the revision's logs in the console."""
    filters = (
        'resource.type="cloud_run_revision"\n'
        f'resource.labels.service_name="{spec.service_id}"\n'
        f'resource.labels.revision_name="{spec.revision_id}"'
    )
    return (
        f"https://console.cloud.google.com/logs/viewer?project={spec.project}"
        f"&resource=cloud_run_revision/service_name/{spec.service_id}/revision_name/{spec.revision_id}"
        f"&advancedFilter={quote(filters, safe='')}"
    )


def image_missing(spec: RunSpec) -> Outcome:
    """The registry has no such image."""
    return Outcome(False, "NOT_FOUND", "CONTAINER_MISSING", f"Image '{spec.image}' not found.", "ContainerReady")


def image_denied(spec: RunSpec) -> Outcome:
    """The registry does not let the platform's service agent read the image."""
    message = (
        f"Google Cloud Run Service Agent must have permission to read the image, {spec.image}. Ensure that the "
        "provided container image URL is correct and that the above account has permission to access the image."
    )
    return Outcome(False, "PERMISSION_DENIED", "CONTAINER_PERMISSION_DENIED", message, "ContainerReady")


def secret_refused(spec: RunSpec, error: ApiError) -> Outcome:
    """A secret version that the template names cannot be read."""
    return Outcome(False, error.code, "SECRETS_ACCESS_CHECK_FAILED", error.message, "ResourcesAvailable")


def not_listening(spec: RunSpec, log_lines: tuple[str, ...]) -> Outcome:
    """The container ended, or did not accept a connection in time."""
    message = (
        "The user-provided container failed to start and listen on the port defined provided by the "
        f"PORT={spec.port} environment variable within the allocated timeout. This can happen when the container port "
        "is misconfigured or if the timeout is too short. The health check timeout can be extended. "
        f"{_more(spec)}#container-failed-to-start"
    )
    return Outcome(False, "FAILED_PRECONDITION", "HEALTH_CHECK_CONTAINER_ERROR", message, log_lines=log_lines)


def probe_failed(spec: RunSpec, log_lines: tuple[str, ...]) -> Outcome:
    """The container runs, and its HTTP or gRPC startup probe does not pass."""
    message = f"The user-provided container failed the configured startup probe checks. {_more(spec)}"
    return Outcome(False, "FAILED_PRECONDITION", "HEALTH_CHECK_CONTAINER_ERROR", message, log_lines=log_lines)


def out_of_memory(spec: RunSpec, log_lines: tuple[str, ...]) -> Outcome:
    """The container was ended for its memory. How much it used then, which the real text adds, is not known here."""
    message = (
        f"Memory limit of {spec.memory // 2**20} MiB exceeded. Consider increasing the memory limit, "
        f"see https://cloud.google.com/run/docs/configuring/memory-limits {_more(spec)}"
    )
    return Outcome(False, "FAILED_PRECONDITION", "HEALTH_CHECK_CONTAINER_ERROR", message, log_lines=log_lines)


def cancelled(spec: RunSpec) -> Outcome:
    """The revision was deleted while it started."""
    return Outcome(False, "ABORTED", "", f"Revision '{spec.revision_id}' was deleted while it was starting.")


def _more(spec: RunSpec) -> str:
    return f"Logs for this revision might contain more information.\n\nLogs URL: {log_uri(spec)}\n{_GUIDANCE}"
