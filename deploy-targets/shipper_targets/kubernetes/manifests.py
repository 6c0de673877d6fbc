"""The manifests of a release, and of one that comes back: as they were recorded, so that everything of then is back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from shipper.model import Release
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.labels import MANAGER, SECRETS
from shipper_targets.kubernetes.manifest import Manifest, Rendered, renamed
from shipper_targets.kubernetes.names import workload_name
from shipper_targets.kubernetes.observing import autoscaler_of
from shipper_targets.kubernetes.own_manifests import render_own
from shipper_targets.kubernetes.records import Record, Records
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.rollouts import release_in, wanted_pods
from shipper_targets.kubernetes.scaling import scales
from shipper_targets.kubernetes.secret_refs import versions_hash
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.values import Object, at, mapping, name_of, number, objects


class Manifests:
    """Of one service. `source` has own manifests, read at the first need; `live` reads an object as it is now."""

    def __init__(
        self,
        records: Records,
        own: KubernetesSettings,
        source: Source,
        live: Callable[[Manifest], Object | None] = lambda _: None,
    ) -> None:
        self._records = records
        self._own = own
        self._source = source
        self._live = live

    def of(self, release: Release, found: Found) -> Rendered:
        """As this release is to be applied now. Raises Invalid, ConfigError for own manifests that cannot be read."""
        whole = self.recorded(release, found)
        coming_back = whole is not None
        if whole is None:
            whole = self.rendered(release, found)
        elif release.secret_versions and _has_versions(whole.main):
            whole = _with(whole, with_secrets(whole.main, release.secret_versions))
        return self.as_counted(whole, found, coming_back=coming_back or release.rollback_to is not None)

    def as_counted(self, whole: Rendered, found: Found, *, coming_back: bool = False) -> Rendered:
        """Each workload with the number of pods that it shall have now."""
        return _with(self.around_autoscalers(whole, found), counted(whole, found, coming_back=coming_back))

    def around_autoscalers(self, whole: Rendered, found: Found) -> Rendered:
        """Workloads beside the one that is followed, of own manifests, without a count where an autoscaler decides."""
        beside = [one for one in whole.others if has_autoscaler(one, whole, found)]
        return _with(whole, *[as_scaled(one, found.deployment(one.name) or self._live(one)) for one in beside])

    def recorded(self, release: Release, found: Found) -> Rendered | None:
        """From its own record, else that of the release which it brings back; None where neither can be applied."""
        own = found.record(release.id)
        if own is not None:
            return self._fitting(own, release, found)
        record = next((one for one in found.records if one.number == release.rollback_to), None)
        if record is None or not self._is_of_then(record, release):
            return None
        return self._fitting(record, release, found)

    def _is_of_then(self, record: Record, release: Release) -> bool:
        """Whether it is what this rollback brings back, whatever the values of secrets are by now."""
        if record.fingerprint == release.fingerprint:
            return True
        then = self._records.release(record) if record.digest == release.main.config_digest else None
        return then is not None and release.brings_back(then)

    def rendered(self, release: Release, found: Found) -> Rendered:
        """As it is rendered now."""
        if self._own.has_own_manifests:
            return render_own(self._source.objects, release, self._own)
        return render(release, self._own, found.shape)

    def applied(self, record: Record | None) -> Rendered | None:
        """What was applied for a recorded release."""
        return self._records.manifests(record) if record is not None else None

    def counted(self, whole: Rendered, found: Found) -> Manifest:
        """The Deployment of what comes back, with its number of pods."""
        return counted(whole, found, coming_back=True)

    def _fitting(self, record: Record, release: Release, found: Found) -> Rendered | None:
        """Recorded manifests under the name that the release has here. Those of the other shape are another set of
        objects: then it is rendered anew, from the settings of then.
        """
        whole = self._records.manifests(record)
        if whole is None:
            return None
        per_release = whole.workload.name == record.revision
        if per_release != (found.shape == "weighted"):
            return None
        name = workload_name(found.base, release, found.shape)
        return renamed(whole, whole.workload.name, name) if per_release else whole


def _has_versions(deployment: Manifest) -> bool:
    """Own manifests say themselves what makes new pods."""
    return SECRETS in mapping(deployment.body, "spec", "template", "metadata", "annotations")


def with_secrets(deployment: Manifest, versions: Mapping[str, str]) -> Manifest:
    """The same with the versions that a release has now: other values make other pods."""
    body = deployment.copied()
    metadata = body["spec"]["template"].setdefault("metadata", {})
    metadata["annotations"] = {**(metadata.get("annotations") or {}), SECRETS: versions_hash(versions)}
    return Manifest(body)


def counted(whole: Rendered, found: Found, *, coming_back: bool) -> Manifest:
    """The Deployment with the number of pods that it shall have; without one where an autoscaler decides.

    A release that comes back never takes pods away: what it comes back into may be the reason for having more. What
    runs beside it, of own manifests, carries no release and has a count of its own.
    """
    main = whole.main
    if has_autoscaler(main, whole, found):
        return as_scaled(main, found.deployment(main.name) or next(iter(found.foreign), None))
    body = main.copied()
    if coming_back:
        same = [one for one in found.deployments if release_in(one) or name_of(one) == main.name]
        serving = max((wanted_pods(one) for one in same), default=0)
        body["spec"]["replicas"] = max(number(body, "spec", "replicas", default=1), serving)
    return Manifest(body)


def has_autoscaler(manifest: Manifest, whole: Rendered | None, found: Found) -> bool:
    """Whether one decides how many pods this workload has: one that is there, or comes with `whole`."""
    if autoscaler_of(found, manifest.name, manifest.kind) is not None:
        return True
    coming = whole.of_kind("HorizontalPodAutoscaler") if whole is not None else ()
    return any(scales(one.body, manifest.kind, manifest.name) for one in coming)


def as_scaled(manifest: Manifest, live: Object | None) -> Manifest:
    """A workload whose number of pods is an autoscaler's business: without one, or with the one that it has."""
    body = manifest.copied()
    spec = {key: value for key, value in mapping(body, "spec").items() if key != "replicas"}
    # Left out, a field that we alone own would be taken away, and the count be 1.
    if live is not None and owns_replicas(live):
        spec["replicas"] = wanted_pods(live)
    body["spec"] = spec
    return Manifest(body)


def owns_replicas(deployment: Object) -> bool:
    """Whether the count is a field of ours, by server-side apply."""
    for one in objects(deployment, "metadata", "managedFields"):
        mine = one.get("manager") == MANAGER and one.get("operation") == "Apply"
        if mine and "f:replicas" in mapping(one, "fieldsV1", "f:spec"):
            return True
    return False


def coming_count(whole: Rendered, serving: int) -> int:
    """How many pods a revision that is started shall have: as recorded, and no fewer than what serves has."""
    least = at(whole.main.body, "spec", "replicas")
    for hpa in whole.of_kind("HorizontalPodAutoscaler"):
        if scales(hpa.body, whole.main.kind, whole.main.name):
            least = at(hpa.body, "spec", "minReplicas")
    return max(int(least or 1), serving, 1)


def _with(whole: Rendered, *changed: Manifest) -> Rendered:
    by_key = {one.key: one for one in changed}
    return replace(whole, manifests=tuple(by_key.get(one.key, one) for one in whole.manifests))
