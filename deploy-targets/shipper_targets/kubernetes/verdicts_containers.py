"""What one container of a pod says about the rollout: its waiting reason, its end, its restarts. Pure, never raises.

Reasons are those of the kubelet 1.34 (pkg/kubelet/images/types.go, container/sync_result.go, kuberuntime) and of
containerd's ends (StartError); the messages are the kubelet's own, measured or read in its source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from shipper_targets.kubernetes.amounts import amount
from shipper_targets.kubernetes.findings import Finding, failed, waiting
from shipper_targets.kubernetes.pods import Container
from shipper_targets.kubernetes.pull_errors import pull_error
from shipper_targets.kubernetes.values import Object, at, number, text

MOST_RESTARTS = 2
"""A container that has ended after so many restarts is in a loop: about 12 s with the kubelet's back-off."""

PULL_PATIENCE = 30.0
"""Seconds for an image that the network did not give: the kubelet's second try comes after 10 s."""

SYNC_PATIENCE = 30.0
"""Seconds for what the kubelet has not read yet, such as a Secret that has just been made."""

_STILL_COMING = re.compile(r"failed to sync|timed out|deadline exceeded|not registered|is reserved for", re.IGNORECASE)
_CANNOT_START = re.compile(
    r"executable file not found|no such file or directory|exec format error|permission denied|"
    r"not a directory|is a directory|invalid|unknown user|no such user|unable to find|no command specified",
    re.IGNORECASE,
)
_ROOT = re.compile(r"runAsNonRoot")
_PULLING = {"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"}
_NEVER = {"InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "SignatureValidationFailed"}
_HOOKS = {"PreStartHookError", "PostStartHookError"}
_STARTING = {"CreateContainerError", "RunContainerError", *_HOOKS}
_KILLED = {137, 143}

_NOT_ROOT = 'set USER in the Dockerfile to a number such as 1000, or [run] user = "1000"'
_MISSING_OBJECT = "create it in this namespace, or correct the name in the configuration"
_COMMAND = "check CMD and ENTRYPOINT of the image and [run] command"


def container_finding(pod: str, container: Container, events: Sequence[Object]) -> Finding | None:
    """None when there is nothing to say: it runs and is ready, or has done its work.

    `events` are those of its pod, oldest first.
    """
    found = _finding(container, events)
    return None if found is None else _placed(found, pod, container)


def _finding(container: Container, events: Sequence[Object]) -> Finding | None:
    reason = text(container.waiting, "reason")
    if text(container.ended, "reason") == "OOMKilled" and not _is_healthy(container):
        return _out_of_memory(container)
    if reason in _PULLING or reason in _NEVER:
        return _no_image(container, reason, events)
    if reason == "CreateContainerConfigError":
        return _no_configuration(text(container.waiting, "message"))
    if reason in _STARTING:
        return _no_start(reason, text(container.waiting, "message"))
    if _has_ended(container):
        return _ended(container, events)
    if at(container.status, "state", "terminated"):
        return None  # an init container that has done its work
    if container.is_running:
        return _not_ready(container, events)
    return _on_its_way(container, reason, events)


def _placed(found: Finding, pod: str, container: Container) -> Finding:
    ended = container.ended
    return replace(
        found,
        pod=pod,
        container=container.name,
        exit_code=number(ended, "exitCode") if ended and not _is_healthy(container) else None,
        lived=_seconds(text(ended, "startedAt"), text(ended, "finishedAt")),
        previous=container.ended_before,
        memory=int(amount(at(container.spec, "resources", "limits", "memory"))) or None,
    )


def _is_healthy(container: Container) -> bool:
    return container.is_running and container.is_ready


def _out_of_memory(container: Container) -> Finding:
    which = "init container" if container.init else "container"
    found = failed("out-of-memory", f"{which} {container.name} ran out of memory")
    return replace(found, out_of_memory=True)


def _no_image(container: Container, reason: str, events: Sequence[Object]) -> Finding:
    said = text(container.waiting, "message")
    if reason in _NEVER:
        words = f"{container.image}: {reason}" + (f": {said}" if said else "")
        return failed("image-missing", words, "check the image's name in the manifest, and imagePullPolicy")
    tries = [text(one, "message") for one in events if _is_failed_pull(one, container.image)]
    words = _pull_words(said, tries)
    error = pull_error(words, container.image)
    told = f"{container.image} cannot be pulled: {words or reason}"
    # Events of one kind are one object that counts; some API servers keep each apart.
    times = sum(max(1, number(one, "count")) for one in events if _is_failed_pull(one, container.image))
    if not error.heals or (times > 1 and not error.soon):
        return failed(error.cause, told, error.hint)
    return waiting(error.cause, told, error.hint, patience=PULL_PATIENCE)


def _is_failed_pull(event: Object, image: str) -> bool:
    said = text(event, "message")
    return text(event, "reason") == "Failed" and said.startswith("Failed to pull image") and image in said


def _pull_words(said: str, tries: Sequence[str]) -> str:
    """The most telling ones: the back-off of older kubelets does not say why."""
    cause = said.partition(": ErrImagePull: ")[2]
    if cause or (said and not said.startswith("Back-off pulling")):
        return cause or said
    return tries[-1].partition('": ')[2] or tries[-1] if tries else said


def _no_configuration(said: str) -> Finding:
    if _STILL_COMING.search(said):
        return waiting("config-missing", said, patience=SYNC_PATIENCE)
    if _ROOT.search(said):
        return failed("runs-as-root", said.partition(" (pod:")[0], f"{_NOT_ROOT}; or security.run_as_root = true")
    return failed("config-missing", said or "its configuration is not complete", _MISSING_OBJECT)


def _no_start(reason: str, said: str) -> Finding:
    if reason in _HOOKS or _CANNOT_START.search(said):
        return failed("crashed", f"could not be started ({reason}): {said}", _COMMAND)
    # The node may heal: a driver that is not loaded yet, a device that is busy, a name that is still taken.
    return waiting("crashed", f"could not be started yet ({reason}): {said}", _COMMAND, patience=SYNC_PATIENCE)


def _has_ended(container: Container) -> bool:
    """It has ended and should not have: now, or just before the kubelet's back-off."""
    if text(container.waiting, "reason") == "CrashLoopBackOff":
        return True
    if not at(container.status, "state", "terminated"):
        return False
    return container.goes_on or number(container.ended, "exitCode") != 0


def _ended(container: Container, events: Sequence[Object]) -> Finding:
    ended, code = container.ended, number(container.ended, "exitCode")
    said = text(ended, "message")
    if text(ended, "reason") in ("StartError", "ContainerCannotRun") and _CANNOT_START.search(said):
        return failed("crashed", f"could not be started: {said}", _COMMAND)
    probe = _killing_probe(container, events)
    if probe.startswith("Startup"):
        return _killed_while_starting(container, probe)
    why = f"exit {code}" + (f", {text(ended, 'reason')}" if text(ended, "reason") not in ("", "Error") else "")
    told = f"ended with {why} after {_restarts(container)}" + (f": {probe}" if probe else "")
    enough = container.restarts >= MOST_RESTARTS
    return failed("crashed", told) if enough else waiting("crashed", told)


def _killing_probe(container: Container, events: Sequence[Object]) -> str:
    """The words of the probe for which the kubelet ended it; "" when it ended by itself.

    A server that stops properly ends with 0 on SIGTERM: only the kubelet's own event tells. Where there is none (events
    are dropped when there are many), the exit status of a signal does.
    """
    about = f"ontainer {container.name} "
    killed = [one for one in events if text(one, "reason") == "Killing" and about in f"{text(one, 'message')} "]
    told = [text(one, "message") for one in killed if _is_of_this_life(one, container)]
    if killed:
        last = told[-1] if told else ""
        kinds = [kind for kind in ("Startup", "Liveness") if f"failed {kind.lower()} probe" in last]
        return _last_probe(events, kinds) or (f"{kinds[0]} probe failed" if kinds else "")
    return _last_probe(events, ("Startup", "Liveness")) if number(container.ended, "exitCode") in _KILLED else ""


def _is_of_this_life(event: Object, container: Container) -> bool:
    """Not before the container that has ended was started."""
    happened, started = text(event, "lastTimestamp") or text(event, "eventTime"), text(container.ended, "startedAt")
    return not (happened and started) or happened[:19] >= started[:19]


def _killed_while_starting(container: Container, probe: str) -> Finding:
    """The kubelet ended it: the whole budget of its startup probe is over. The next try has no more than that."""
    told = f"was not ready within its startup probe's time and was ended: {probe}"
    hint = "if it is still loading, raise [health] startup; else read its last lines"
    return failed("not-ready", told, hint) if container.restarts >= 1 else waiting("not-ready", told, hint)


def _not_ready(container: Container, events: Sequence[Object]) -> Finding | None:
    if container.is_ready:
        return None
    if container.init and not container.goes_on:
        return waiting("not-ready", f"init container {container.name} is running")
    probe = _last_probe(events, ("Readiness", "Startup", "Liveness"))
    again = f", after {_restarts(container)}" if container.restarts else ""
    return waiting("not-ready", f"running, not ready{again}" + (f": {probe}" if probe else ""))


def _on_its_way(container: Container, reason: str, events: Sequence[Object]) -> Finding | None:
    if reason in ("ContainerCreating", "PodInitializing", ""):
        pulling = _is_pulling(container.image, events)
        return waiting("not-ready", f"pulling {container.image}" if pulling else reason or "starting")
    said = text(container.waiting, "message")
    return waiting("not-ready", f"{reason}: {said}" if said else reason)


def _is_pulling(image: str, events: Sequence[Object]) -> bool:
    own = [text(one, "reason") for one in events if image and image in text(one, "message")]
    return bool(own) and own[-1] == "Pulling"


def _last_probe(events: Sequence[Object], kinds: Sequence[str]) -> str:
    """The kubelet's words of the newest failed probe, such as "Readiness probe failed: …"."""
    said = (text(one, "message").strip() for one in reversed(events) if text(one, "reason") == "Unhealthy")
    beginnings = tuple(f"{kind} probe" for kind in kinds)
    return next((words for words in said if words.startswith(beginnings)), "")


def _restarts(container: Container) -> str:
    return "1 restart" if container.restarts == 1 else f"{container.restarts} restarts"


def _seconds(start: str, end: str) -> float | None:
    try:
        passed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (ValueError, TypeError):
        return None
    return max(0.0, passed.total_seconds())
