"""Whether a Deployment's rollout is ready, on its way, or can never end. Pure, never raises.

The order is kubectl's (polymorphichelpers/rollout_status.go), with what kubectl does not look at: the pods of the right
ReplicaSet. Before `observedGeneration` has caught up nothing is believed: the status is that of the release before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shipper_targets.kubernetes.findings import FOREVER, Finding, failed, waiting, worst
from shipper_targets.kubernetes.labels import RELEASE
from shipper_targets.kubernetes.pods import is_ready, newest_set, pods_of
from shipper_targets.kubernetes.refusals import admission_hint
from shipper_targets.kubernetes.values import (
    Object,
    at,
    condition,
    is_leaving,
    mapping,
    name_of,
    number,
    text,
    uid_of,
)
from shipper_targets.kubernetes.verdicts_pods import evictions, is_thrown_out, pod_finding

ADMISSION_PATIENCE = 30.0
"""Seconds for a webhook, or an API server, that does not answer when a pod is made."""

ACCOUNT_PATIENCE = 5.0
"""Seconds for a ServiceAccount of a namespace that has just been made."""

MAKER_PATIENCE = 60.0
"""Seconds for an operator that makes a Secret of what came with the release: an ExternalSecret, a Certificate."""

STALE_PATIENCE = 2.0
"""Seconds for ProgressDeadlineExceeded: it may still be that of the rollout before."""

UNSCHEDULABLE = 30.0

LEAVING_MARGIN = 15.0
"""Seconds beside its grace period until a pod has gone, and the scheduler has looked again."""

QUOTA = re.compile(r"exceeded quota|failed quota", re.IGNORECASE)
_MACHINERY = re.compile(
    r"failed calling webhook|timed out|timeout|connection refused|etcdserver|internal error", re.IGNORECASE
)
_NO_ACCOUNT = re.compile(r"(?:serviceaccount|service account).*not found|no API token found", re.IGNORECASE)


@dataclass(frozen=True)
class Facts:
    """What the API server says: the Deployment, and everything that its selector finds. `events` by pod uid."""

    deployment: Object
    sets: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    events: Mapping[str, Sequence[Object]] = field(default_factory=dict)

    @property
    def thrown_out(self) -> frozenset[str]:
        """Uids of pods that were evicted or refused by a node: they stay until somebody clears them away."""
        return frozenset(uid_of(pod) for pod in self.pods if is_thrown_out(pod))

    def without(self, uids: frozenset[str]) -> Facts:
        """The same without these pods."""
        return replace(self, pods=[pod for pod in self.pods if uid_of(pod) not in uids]) if uids else self


def rollout_finding(
    facts: Facts,
    *,
    release: str | None = None,
    window: float = UNSCHEDULABLE,
    coming: Collection[str] = (),
) -> Finding:
    """`release`: the id that the Deployment should carry; `window`: seconds for which no node may have room; `coming`:
    names of Secrets and ConfigMaps that somebody else makes of what came with the release.
    """
    deployment = facts.deployment
    carried = at(deployment, "metadata", "annotations", RELEASE)
    if release is not None and carried != release:
        return failed(
            "replaced",
            f"{name_of(deployment)} runs another release by now ({carried or 'not one of ours'})",
            "somebody else released, or rolled back: shipper status",
        )
    if is_leaving(deployment):
        return failed("replaced", f"{name_of(deployment)} is being deleted", "who deletes it? shipper status")
    if at(deployment, "spec", "paused") is True:
        return failed(
            "paused",
            f"{name_of(deployment)} is paused: nothing is rolled out",
            f"kubectl rollout resume deployment/{name_of(deployment)}",
        )
    if not _is_observed(deployment):
        return waiting("not-ready", "accepted")
    pods = pods_on_their_way(facts)
    of_pods = [_coming(one, coming) for one in _of_pods(facts, pods, window)]
    return replace(_rollout(facts, pods, of_pods), beside=tuple(of_pods))


def pods_on_their_way(facts: Facts) -> list[Object]:
    """The pods of the Deployment's newest ReplicaSet, oldest first."""
    newest = newest_set(facts.deployment, facts.sets)
    return [] if newest is None else pods_of(newest, facts.pods)


def _rollout(facts: Facts, pods: Sequence[Object], of_pods: Sequence[Finding]) -> Finding:
    deployment = facts.deployment
    wanted = number(deployment, "spec", "replicas", default=1)
    if wanted == 0:
        name = name_of(deployment)
        return failed("stopped", f"{name} wants no pod (replicas = 0)", "who scaled it to 0? An HPA does not then")
    found = evictions(pods) or worst(of_pods)
    refused = _refused(facts)
    if refused is not None and (found is None or found.state != "failed"):
        return refused
    if found is not None and found.state == "failed":
        return found
    progressing = condition(deployment, "Progressing")
    if text(progressing, "reason") == "ProgressDeadlineExceeded":
        return _out_of_time(deployment, found)
    counted = _counted(deployment, wanted, pods)
    if counted is None:
        return Finding("ready")
    return waiting("not-ready", counted) if found is None else _shown(found, counted, deployment)


def _of_pods(facts: Facts, pods: Sequence[Object], window: float) -> list[Finding]:
    window = _until_room(facts, pods, window)
    found = (pod_finding(pod, facts.events.get(uid_of(pod), ()), window=window) for pod in pods)
    return [one for one in found if one is not None]


def _coming(found: Finding, names: Collection[str]) -> Finding:
    """What is not there yet because its maker is slower than the kubelet, which looks again by itself."""
    if found.cause != "config-missing" or found.state != "failed":
        return found
    if not any(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", found.reason) for name in names):
        return found
    hint = "it is to be made of your own manifests: does its operator run, and what does it say?"
    return replace(found, state="waiting", patience=MAKER_PATIENCE, hint=hint)


def _until_room(facts: Facts, pods: Sequence[Object], window: float) -> float:
    """Seconds for which no node may have room: what leaves makes some, and so does what an old pod makes way for."""
    if leaving := _leaving(facts):
        return max(window, _longest_grace(leaving))
    old = number(facts.deployment, "status", "replicas") > number(facts.deployment, "status", "updatedReplicas")
    starting = (text(condition(pod, "PodScheduled"), "status") == "True" and not is_ready(pod) for pod in pods)
    return FOREVER if old and any(starting) else window


def _leaving(facts: Facts) -> list[Object]:
    return [pod for pod in facts.pods if is_leaving(pod)]


def _longest_grace(pods: Iterable[Object]) -> float:
    """Seconds until the last of them has gone."""
    return LEAVING_MARGIN + max(number(pod, "spec", "terminationGracePeriodSeconds", default=30) for pod in pods)


def _refused(facts: Facts) -> Finding | None:
    """Pods that the API server does not take: quota, admission, a webhook that does not answer."""
    newest = newest_set(facts.deployment, facts.sets)
    if newest is not None and not _is_observed(newest):
        return None  # what it says is of the last time that it was asked for pods
    told = condition(facts.deployment if newest is None else newest, "ReplicaFailure")
    if text(told, "status") != "True":
        return None
    said = text(told, "message").strip()
    words = f"pods are refused: {said or text(told, 'reason')}"
    if (passing := passing_refusal(said, words)) is not None:
        return passing
    if QUOTA.search(said):
        if (patience := _until_quota(facts)) is not None:
            gone = tuple(sorted(uid_of(pod) for pod in _leaving(facts)))
            return replace(waiting("quota", words, patience=patience), waits_for=gone)
        return failed("quota", words, "raise the namespace's ResourceQuota, or ask for less")
    return failed("refused", words, admission_hint(said))


def passing_refusal(said: str, words: str) -> Finding | None:
    """What may heal of what the API server `said` when a pod was made; None for the opinion of its admission."""
    if _NO_ACCOUNT.search(said):
        return waiting("refused", words, "create the ServiceAccount", patience=ACCOUNT_PATIENCE)
    if _MACHINERY.search(said):
        return waiting("refused", words, "is the webhook's own service there?", patience=ADMISSION_PATIENCE)
    return None


def _until_quota(facts: Facts) -> float | None:
    """Seconds for which quota may be used up; None when nothing of this Deployment goes to leave some.

    What is on its way out still counts. When it has gone, the ReplicaSet tries again only after its back-off, which by
    then is as long as it has waited.
    """
    stops_first = [mapping(facts.deployment, "spec", "template")] if _may_lack(facts.deployment) > 0 else []
    going = [*_leaving(facts), *stops_first]
    return max(ADMISSION_PATIENCE, _longest_grace(going)) if going else None


def _may_lack(deployment: Object) -> int:
    """maxUnavailable in pods: a percentage is rounded down."""
    share, wanted = (
        at(deployment, "spec", "strategy", "rollingUpdate", "maxUnavailable"),
        number(deployment, "spec", "replicas"),
    )
    if isinstance(share, str):
        percent = share.removesuffix("%")
        return int(percent) * wanted // 100 if percent.isdecimal() else 0
    return share if isinstance(share, int) else 0


def _is_observed(value: Object) -> bool:
    return number(value, "status", "observedGeneration") >= number(value, "metadata", "generation")


def _out_of_time(deployment: Object, found: Finding | None) -> Finding:
    """The controller does not take this back for a template that it had before until the first pod moves."""
    seconds = number(deployment, "spec", "progressDeadlineSeconds", default=600)
    if found is None:
        said = text(condition(deployment, "Progressing"), "message")
        found = waiting("not-ready", said, "raise [rollout] timeout, or look at the pods")
    return replace(found, reason=f"no progress within {seconds} s: {found.reason}", patience=STALE_PATIENCE)


def _counted(deployment: Object, wanted: int, pods: Sequence[Object]) -> str | None:
    """What is still missing, by the Deployment's own counters; None when nothing is."""
    status = at(deployment, "status")
    updated, available = number(status, "updatedReplicas"), number(status, "availableReplicas")
    if updated < wanted:
        return f"{updated} of {wanted} pods made"
    if number(status, "replicas") > updated:
        old = number(status, "replicas") - updated
        return "1 old pod is on its way out" if old == 1 else f"{old} old pods are on their way out"
    if available < updated:
        ready = sum(is_ready(pod) for pod in pods)
        return f"{available} of {updated} pods available" + (f", {ready} ready" if ready > available else "")
    return None


def _shown(found: Finding, counted: str, deployment: Object) -> Finding:
    several = number(deployment, "spec", "replicas", default=1) > 1
    where = f"{found.pod}: " if several and found.pod else ""
    return replace(found, reason=f"{counted}; {where}{found.reason}" if several else found.reason)
