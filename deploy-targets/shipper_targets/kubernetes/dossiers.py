"""From a finding and the container's last lines to a dossier, with the words of every other target. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shipper.model import Dossier, Settings
from shipper.targets.diagnosis import Facts, diagnose, shorten, tail_of
from shipper_targets.kubernetes.findings import Finding

CONTAINERS_OWN = ("crashed", "out-of-memory", "not-ready")
"""Causes that the container's own last lines explain."""

_LONGEST = 200
_STATUS = re.compile(r"probe failed: HTTP probe failed with statuscode: (\d{3})")
_PROBE = re.compile(r"(?:Readiness|Startup|Liveness) probe failed: (.+)")
_ADDRESS = re.compile(r'Get "?http://[^/"]+(?P<path>/[^"\s]*)"?: ')


def dossier_of(finding: Finding, settings: Settings, log: Sequence[str], *, namespace: str) -> Dossier:
    """Causes: those of `targets.diagnosis`, and image-missing, image-denied, image-unreachable, config-missing,
    runs-as-root, no-capacity, quota, refused, evicted, volume, node, paused, stopped, replaced.
    """
    told = _of_container(finding, settings, log) if _is_containers(finding) else None
    if told is None:
        told = Dossier(cause=finding.cause or "unknown", reason=shorten(finding.reason, _LONGEST), hint=finding.hint)
    where = _where(finding, namespace, log)
    hint = "; ".join(part for part in (told.hint, where) if part)
    return told.model_copy(update={"hint": hint, "log_tail": tail_of(log), "exit_status": finding.exit_code})


def wants_log(finding: Finding) -> bool:
    """Whether there is a container whose last lines would say more."""
    return bool(finding.pod and finding.container) and finding.cause in CONTAINERS_OWN


def _is_containers(finding: Finding) -> bool:
    if finding.cause not in CONTAINERS_OWN or not finding.container:
        return False
    return finding.exit_code is not None or "probe failed" in finding.reason or "could not be started" in finding.reason


def _of_container(finding: Finding, settings: Settings, log: Sequence[str]) -> Dossier:
    run, health = settings.run, settings.health
    status = _STATUS.search(finding.reason)
    probe = _PROBE.search(finding.reason)
    not_ready = finding.cause == "not-ready"
    start_error = finding.reason.partition(": ")[2] if "could not be started" in finding.reason else ""
    return diagnose(
        Facts(
            port=run.port,
            path=health.path,
            expected_status=health.status,
            running=not_ready,
            exit_code=None if not_ready else finding.exit_code,
            out_of_memory=finding.out_of_memory,
            memory_limit=finding.memory or run.memory,
            last_status=int(status[1]) if status else None,
            last_problem=_ADDRESS.sub("", probe[1]) if probe else "",
            start_error=start_error,
            log=tuple(log),
            user=run.user or "",
            waited=finding.lived,
        )
    )


def _where(finding: Finding, namespace: str, log: Sequence[str]) -> str:
    """What shows the rest to people who read this when the release was put back, and the pod has gone with it."""
    if not finding.pod:
        return ""
    if wants_log(finding) and log:
        return f"what container {finding.container} wrote last stands in the run's log"
    return f"kubectl get events -n {namespace} --field-selector involvedObject.name={finding.pod}"
