"""Labels and annotations.

Labels: cloud.google.com/resource-manager/docs/creating-managing-labels: at most 64, keys and values at most 63
characters of lower-case letters, digits, _ and -, keys start with a letter. Annotations: Kubernetes' rules
(Service.annotations says so): keys [prefix/]name, all together at most 256 KiB. Rejected namespaces: the descriptions
of Service.labels and Service.annotations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_LABEL_KEY = re.compile(r"^[a-z][a-z0-9_-]{0,62}$")
_LABEL_VALUE = re.compile(r"^[a-z0-9_-]{0,63}$")
_PREFIX = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_NAME = re.compile(r"^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
_RESERVED = ("run.googleapis.com", "cloud.googleapis.com", "serving.knative.dev", "autoscaling.knative.dev")
_NONCE = "client.knative.dev/nonce"  # gcloud puts it into every template that it changes, and v2 shows it


def metadata_violations(
    prefix: str, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    if len(labels) > 64:
        yield f"{prefix}labels", "at most 64 labels are allowed"
    for key, value in labels.items():
        if _reserved(key):
            yield f"{prefix}labels", f"Label keys in the namespace of '{key}' are not supported."
        elif not (_LABEL_KEY.match(key) or key == _NONCE) or not _LABEL_VALUE.match(value):
            yield f"{prefix}labels", f"The label '{key}: {value}' has illegal characters or is too long."
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > 256 * 1024:
        yield f"{prefix}annotations", "Too long: must have at most 262144 bytes"
    for key in annotations:
        if _reserved(key):
            yield f"{prefix}annotations", f"Annotation keys in the namespace of '{key}' are not supported."
        elif not _legal(key):
            yield f"{prefix}annotations", f"The annotation key '{key}' is not a qualified name."


def _reserved(key: str) -> bool:
    namespace = key.partition("/")[0] if "/" in key else ""
    return any(namespace == name or namespace.endswith(f".{name}") for name in _RESERVED)


def _legal(key: str) -> bool:
    namespace, slash, name = key.rpartition("/")
    if slash and (not _PREFIX.match(namespace) or len(namespace) > 253):
        return False
    return bool(_NAME.match(name))
