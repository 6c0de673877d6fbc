"""What tests said about pods: rules, kept on disk so that they outlive this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.pods import references
from tests.rig.kubernetes.pods.runtime import Trouble
from tests.rig.kubernetes.pods.scripted import KINDS, Behaviour, from_label

LABEL = "rig.shipper.dev/behaviour"


@dataclass(frozen=True)
class Match:
    """Which containers a rule is about; what is empty matches all.

    `image` is a prefix of the reference, `tag` its tag, `label` the value of the pod's LABEL, `container` the name.
    """

    namespace: str = ""
    image: str = ""
    tag: str = ""
    label: str = ""
    container: str = ""

    def fits(self, pod: Object, container: Object) -> bool:
        metadata, image = pod["metadata"], container["image"]
        return (
            self.namespace in ("", metadata["namespace"])
            and image.startswith(self.image)
            and self.tag in ("", _tag(image))
            and self.label in ("", (metadata.get("labels") or {}).get(LABEL))
            and self.container in ("", container["name"])
        )


class Behaviours:
    """The newest rule that fits wins, then the pod's own label, then nothing (it runs)."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        self._rules = [(Match(**match), _behaviour(how)) for match, how in kept.get("rules", [])]
        self._factors: dict[str, float] = kept.get("factors", {})

    def behave(self, match: Mapping[str, str], behaviour: Mapping[str, Any]) -> None:
        """Raises TypeError for a key that there is not, ValueError for a kind."""
        new = (Match(**match), _behaviour(behaviour))
        with self._lock:
            self._rules = [rule for rule in self._rules if rule[0] != new[0]] + [new]
            self._write()

    def forget(self, match: Mapping[str, str]) -> int:
        """Drop the rules that are at least as narrow as the match ({}: all); how many there were."""
        wanted = {name: value for name, value in asdict(Match(**match)).items() if value}
        with self._lock:
            before = len(self._rules)
            self._rules = [rule for rule in self._rules if not wanted.items() <= asdict(rule[0]).items()]
            self._write()
            return before - len(self._rules)

    def set_factor(self, factor: float, namespace: str = "") -> None:
        """Back-offs take so much of their real time, in a namespace or ("") in all others."""
        with self._lock:
            self._factors[namespace] = factor
            self._write()

    def factor(self, namespace: str) -> float:
        return self._factors.get(namespace, self._factors.get("", 1.0))

    def choose(self, pod: Object, container: Object) -> Behaviour | None:
        """None when nobody said anything. Raises ValueError for a label that says nothing known."""
        with self._lock:
            found = next((how for match, how in reversed(self._rules) if match.fits(pod, container)), None)
        label = (pod["metadata"].get("labels") or {}).get(LABEL)
        return from_label(label) if found is None and label else found

    def rules(self) -> list[Any]:
        with self._lock:
            return [[asdict(match), asdict(how)] for match, how in self._rules]

    def _write(self) -> None:
        rules = [[asdict(match), asdict(how)] for match, how in self._rules]
        self._file.write_text(json.dumps({"rules": rules, "factors": self._factors}, indent=1))


def _behaviour(how: Mapping[str, Any]) -> Behaviour:
    found = Behaviour(**{**how, "lines": tuple(how.get("lines", ()))})
    if found.kind not in KINDS:
        raise ValueError(f"{found.kind!r} is no behaviour: {', '.join(KINDS)}")
    return found


def _tag(image: str) -> str:
    try:
        return references.parse(image).tag
    except Trouble:  # no reference at all has no tag
        return ""
