"""A rehearsal: the very request of a release, answered by Knative's own webhooks and kept by nobody.

On a dry run Knative also makes the pod, on a dry run: what the API server would say of it is in the answer.
"""

from __future__ import annotations

from shipper.model import Release
from shipper_targets.knative import render, traffic
from shipper_targets.knative.calls import Calls
from shipper_targets.knative.names import name_of_release, tag_of
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes.values import Object, mapping


def rehearse(calls: Calls, service: Object | None, release: Release, own: KnativeSettings) -> None:
    """Raises what the cluster thinks of it: Invalid, Denied, NotFound, Transient."""
    name = name_of_release(calls.name, release)
    tagged = {tag_of(release.number): name}
    if service is None:
        body = render.service_of(release, own, calls.name, traffic.targets({name: 100}, tagged), {})
        calls.create(body, dry_run=True)
        return
    if mapping(service, "spec", "template", "metadata").get("name") == name:
        return  # it is there: it was taken
    wanted = render.template_of(release, own, calls.name)
    targets = traffic.targets(traffic.about_to_serve(service) or {name: 100}, tagged, traffic.following(service))
    template = render.replacing(mapping(service, "spec", "template"), wanted)
    calls.change(service, {"spec": {"template": template, "traffic": targets}}, dry_run=True)
