"""The scaling that each revision has been admitted with, against which a change by hand is found. Pure.

A policy of the cluster's may have added some, or others than ours, so the record of a release does not tell: the
template that made the revision does, and our note once another template has taken its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shipper_targets.knative.kinds import AUTOSCALING
from shipper_targets.knative.traffic import asked_for
from shipper_targets.knative.written import Scaling, read_written
from shipper_targets.kubernetes.values import Object, mapping, name_of


def scaling_in(made: Object) -> Scaling:
    """Of a revision, or of a template."""
    found = mapping(made, "metadata", "annotations")
    return {key: str(value) for key, value in found.items() if key.startswith(f"{AUTOSCALING}/")}


def admitted(service: Object) -> dict[str, Scaling]:
    """Revision to scaling, of those of which it is known."""
    note, template = read_written(service), mapping(service, "spec", "template")
    known = dict(note.scaling) if note is not None else {}
    name = name_of(template)
    return {**known, name: scaling_in(template)} if name else known


def to_note(service: Object, weights: Mapping[str, int], find: Callable[[str], Object | None]) -> dict[str, Scaling]:
    """The same of what the Service names, and of what gets traffic now: one that comes back, and of which it is not
    known, is taken over as `find` has it.
    """
    known = admitted(service)
    noted = {}
    for name in sorted({*asked_for(service), name_of(mapping(service, "spec", "template")), *weights}):
        if name in known:
            noted[name] = known[name]
        elif weights.get(name) and (found := find(name)) is not None:
            noted[name] = scaling_in(found)
    return noted
