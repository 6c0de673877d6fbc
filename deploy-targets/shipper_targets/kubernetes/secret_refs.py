"""References to Secrets of the namespace, and the versions of a release. Pure.

`kubernetes:SECRET/KEY` means what the Secret holds now; `kubernetes:SECRET/KEY@UID.RESOURCEVERSION` says which object
in which version that was: neither number is ever used again, so equal texts mean equal values.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from shipper.targets import Invalid

SCHEME = "kubernetes:"

_FORM = re.compile(
    r"kubernetes:(?P<secret>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)/(?P<key>[A-Za-z0-9._-]{1,253})"
    r"(?:@(?P<uid>[A-Za-z0-9-]{1,64})\.(?P<version>[A-Za-z0-9]{1,64}))?"
)


@dataclass(frozen=True)
class SecretRef:
    """One key of one Secret; `uid` and `version` are empty for "as it is now"."""

    secret: str
    key: str
    uid: str = ""
    version: str = ""

    @property
    def pinned(self) -> bool:
        """Whether it says which version."""
        return bool(self.uid)

    def at(self, uid: str, version: str) -> SecretRef:
        """The same key in one version."""
        return SecretRef(self.secret, self.key, uid, version)

    def __str__(self) -> str:
        whole = f"{SCHEME}{self.secret}/{self.key}"
        return f"{whole}@{self.uid}.{self.version}" if self.pinned else whole


def parse_reference(text: str) -> SecretRef:
    """Raises Invalid when it is no reference to a Secret of Kubernetes."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise Invalid(f'"{text}" is no reference to a Secret: write kubernetes:SECRET/KEY')
    return SecretRef(found["secret"], found["key"], found["uid"] or "", found["version"] or "")


def versions_hash(versions: Mapping[str, str]) -> str:
    """For the pod template: another hash when any value is another one, so that pods start with the new values.

    `versions`: name in `[run.secrets]` to a version.
    """
    text = "".join(f"{name}={version}\n" for name, version in sorted(versions.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
