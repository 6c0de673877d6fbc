"""What plans say alike on any cluster: when there is nothing to do, and what shows in no object. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shipper.model import Change, Observation, Release
from shipper.model.release import short
from shipper.targets import UNBUILT, change_of, configuration_changes
from shipper_targets.kubernetes.labels import OF_EVERY_OBJECT

TO_BUILD = "to be built"
SAME = "nothing to change, if the image is the same"
_LATER = "…"
"""Number and id of a release that is only planned: nobody knows them yet."""


def serves_already(release: Release, observation: Observation) -> bool:
    """Whether a release would have nothing to do, should what serves be well: its very content serves, all alone, and
    was verified.
    """
    main = observation.main
    return (
        main is not None
        and len(observation.serving) == 1
        and observation.in_flight is None
        and main.fingerprint == release.fingerprint
        and main.number in observation.stamp.verified
    )


def planned_name(base: str) -> str:
    """What a plan calls the revision that a release would make."""
    return f"{base}-{_LATER}"


@dataclass(frozen=True)
class Stood:
    """What a dry run is asked with instead of what nobody knows yet, and how a plan shows it: text by text."""

    shown: Mapping[str, str]

    @classmethod
    def of(cls, revision: str, base: str, unpushed: str) -> Stood:
        """`unpushed`: the name of an image that is not there."""
        return cls({revision: planned_name(base), unpushed: TO_BUILD, short(UNBUILT): TO_BUILD})

    def value(self, value: Any) -> Any:
        """The same with every text that is one of these."""
        if isinstance(value, Mapping):
            return {key: self.value(inside) for key, inside in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inside) for inside in value]
        return self.shown.get(value, value) if isinstance(value, str) else value

    def text(self, told: str) -> str:
        """What the cluster says, wherever it names one of these."""
        for stood, shown in self.shown.items():
            told = told.replace(stood, shown)
        return told


def labels_told_once(changes: Sequence[Change]) -> Iterator[Change]:
    """Labels of ours that objects do not have yet, as when they are taken over: in one line for all, the last."""
    objects, labels = dict[str, None](), set[str]()
    for one in changes:
        key, _, path = one.subject.partition(" ")
        label = path.removeprefix("metadata.labels.")
        if one.action != "create" or label == path or label not in OF_EVERY_OBJECT:
            yield one
            continue
        objects[key] = None
        labels.add(label)
    if objects:
        whose = next(iter(objects)) if len(objects) == 1 else f"{len(objects)} objects"
        yield Change(action="create", subject=f"labels of {whose}", after=", ".join(sorted(labels)))


def secret_changes(before: Release | None, after: Release) -> Iterator[Change]:
    """A Secret's new value makes a new release, although most objects only name it."""
    was = before.secret_versions if before is not None else {}
    for name, version in sorted(after.secret_versions.items()):
        if name in was and was[name] != version:
            yield change_of(f"run.secrets.{name} (version)", _version(was[name]), _version(version))


def configuration_alone(before: Release | None, after: Release) -> Iterator[Change]:
    """What makes another release and shows in no object: the status that a health check wants, for one."""
    if before is None or before.fingerprint == after.fingerprint:
        return
    found = list(configuration_changes(before.settings.runtime(), after.settings.runtime()))
    if not found and before.content != after.content:
        was, will_be = (short(content) or "as by default" for content in (before.content, after.content))
        found = [change_of("targets", was, will_be)]
    yield from found


def _version(reference: str) -> str:
    return reference.rpartition("@")[2]
