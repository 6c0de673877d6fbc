"""Why a revision is not ready: from the platform's conditions and the container's last lines to a dossier. Pure.

Reasons are names of Condition.CommonReason and RevisionReason (google.cloud.run_v2); texts are those that users quote
in public threads (tests/rig/google/cloudrun/instances_outcomes.py names them).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shipper.model import Dossier, HealthSettings, RunSettings
from shipper.model.quantities import show_duration
from shipper.targets.diagnosis import Facts, diagnose, shorten, tail_of
from shipper.targets.log_patterns import explain_log
from shipper_targets.cloudrun.observing import ready_condition

if TYPE_CHECKING:
    from google.cloud import run_v2

_EXIT = re.compile(r"exit(?:ed)?(?: with)?(?: status| code)?[ (:]+(-?\d{1,3})\b", re.IGNORECASE)
_ENDED = re.compile(r"failed to start and (?:then )?listen|exited abnormally|exec likely failed", re.IGNORECASE)
_NOT_STARTED = re.compile(
    r"exec format error|no such file or directory|executable file not found|invalid ENTRYPOINT", re.IGNORECASE
)
_MEMORY = re.compile(r"memory limit of .* exceeded|out of memory|Memory limit", re.IGNORECASE)
_NOT_READY = re.compile(r"failed to start and (?:then )?listen|startup probe|health check", re.IGNORECASE)
_QUOTA = re.compile(r"quota|exceeded", re.IGNORECASE)
_GUIDANCE = re.compile(r"\s*(?:For more troubleshooting guidance|Logs URL|Logs for this revision).*$", re.DOTALL)

_LONGEST = 200
"""Characters of a reason."""

_REASONS: dict[str, tuple[str, str]] = {
    "CONTAINER_MISSING": ("image-missing", "is it in the registry, in this project's reach? Publish it again"),
    "CONTAINER_PERMISSION_DENIED": (
        "image-denied",
        "give Cloud Run's service agent roles/artifactregistry.reader on the repository",
    ),
    "CONTAINER_IMAGE_UNAUTHORIZED": ("image-denied", "the project's Binary Authorization policy refuses this image"),
    "CONTAINER_IMAGE_AUTHORIZATION_CHECK_FAILED": ("image-denied", "look at the Binary Authorization policy"),
    "ENCRYPTION_KEY_PERMISSION_DENIED": ("denied", "give Cloud Run's service agent the use of encryption_key"),
    "ENCRYPTION_KEY_CHECK_FAILED": ("denied", "look at encryption_key in Cloud KMS"),
    "SECRETS_ACCESS_CHECK_FAILED": (
        "secret-denied",
        "give service_account roles/secretmanager.secretAccessor on these secrets",
    ),
    "VPC_NETWORK_NOT_FOUND": ("network-missing", "check network, subnet or connector of the target"),
    "ACTIVE_REVISION_LIMIT_REACHED": ("quota", "remove revisions and tags: shipper gc"),
    "MIN_INSTANCES_NOT_PROVISIONED": ("no-capacity", "lower [scale] min, or ask for more quota"),
}  # fmt: skip


def dossier_of(revision: run_v2.Revision, run: RunSettings, health: HealthSettings, log: Sequence[str]) -> Dossier:
    """What is known of a revision that failed, or is not ready yet."""
    condition = ready_condition(revision)
    message = condition.message if condition is not None else ""
    reason = ""
    if condition is not None:
        reason = (condition.revision_reason or condition.reason).name if _has_reason(condition) else ""
    found = explain(reason, message, run, health, log)
    link = f"logs: {revision.log_uri}" if revision.log_uri and not log else ""
    return found.model_copy(update={"hint": "; ".join(part for part in (found.hint, link) if part)})


def explain(reason: str, message: str, run: RunSettings, health: HealthSettings, log: Sequence[str]) -> Dossier:
    """Causes: those of `targets.diagnosis`, and image-missing, image-denied, secret-denied, denied, quota,
    no-capacity, network-missing, platform. Without any words: not-ready.
    """
    words = _GUIDANCE.sub("", message)
    if reason in _REASONS:
        cause, hint = _REASONS[reason]
        return Dossier(cause=cause, reason=shorten(words or reason.lower(), _LONGEST), hint=hint, log_tail=tail_of(log))
    if _is_containers(reason, message):
        return _of_container(words, run, health, log)
    if not message and not reason:
        return Dossier(cause="not-ready", reason="not ready yet", log_tail=tail_of(log))
    cause = "quota" if _QUOTA.search(message) else "platform"
    hint = "ask for more quota, or for less" if cause == "quota" else "see the message; `shipper doctor`"
    return Dossier(cause=cause, reason=shorten(words or reason.lower(), _LONGEST), hint=hint, log_tail=tail_of(log))


def _has_reason(condition: run_v2.Condition) -> bool:
    return bool(condition.reason or condition.revision_reason)


def _is_containers(reason: str, message: str) -> bool:
    about_it = _NOT_READY.search(message) or _MEMORY.search(message) or _EXIT.search(message)
    return reason in ("HEALTH_CHECK_CONTAINER_ERROR", "PROGRESS_DEADLINE_EXCEEDED") or bool(about_it)


def _of_container(words: str, run: RunSettings, health: HealthSettings, log: Sequence[str]) -> Dossier:
    """The container was started and did not become ready: as everywhere else, from its end and its last lines.

    Every revision of ours has an HTTP startup probe, whose failure has words of its own: a container that "failed to
    start and listen" has ended. Its exit status is known only where the platform logs it.
    """
    told = [words, *log]
    exit_code = next((int(found[1]) for text in reversed(told) if (found := _EXIT.search(text))), None)
    out_of_memory = any(_MEMORY.search(text) for text in told)
    if out_of_memory or exit_code is not None or _NOT_STARTED.search(words):
        facts = Facts(
            port=run.port,
            path=health.path,
            memory_limit=run.memory,
            running=False,
            exit_code=exit_code,
            out_of_memory=out_of_memory,
            start_error=words if _NOT_STARTED.search(words) else "",
            log=tuple(log),
        )
        return diagnose(facts)
    known = explain_log(log)
    if _ENDED.search(words):
        why = known.reason if known else next((line.strip() for line in reversed(log) if line.strip()), "")
        reason = f"ended before it listened on port {run.port}" + (f": {why}" if why else "")
        hint = known.hint if known else "read the container's last lines; CMD must start the server on 0.0.0.0:$PORT"
        return Dossier(cause="crashed", reason=shorten(reason, _LONGEST), hint=hint, log_tail=tail_of(log))
    within = show_duration(health.startup)
    reason = f"{health.path} on port {run.port} was not ready within {within}" + (f": {known.reason}" if known else "")
    hint = known.hint if known else "if it is still loading, raise [health] startup; else read its last lines"
    return Dossier(cause="not-ready", reason=shorten(reason, _LONGEST), hint=hint, log_tail=tail_of(log))
