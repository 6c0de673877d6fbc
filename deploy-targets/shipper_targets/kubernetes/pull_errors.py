"""Why an image was not pulled, from the words of containerd, CRI-O and registries. Pure.

The words are those that users quote in public threads, and those of containerd 1.7 and of the distribution
specification's error codes (NAME_UNKNOWN, MANIFEST_UNKNOWN, UNAUTHORIZED, DENIED, TOOMANYREQUESTS).
"""

from __future__ import annotations

import re
from typing import NamedTuple


class PullError(NamedTuple):
    """`heals`: a second try may succeed, as with a network that was away for a moment. `soon`: only for a while are
    there too many pulls, as on a node that has just come.
    """

    cause: str
    hint: str
    heals: bool
    soon: bool = False


_NETWORK = re.compile(
    r"i/o timeout|context deadline exceeded|connection (?:refused|reset)|no such host|server misbehaving|"
    r"TLS handshake timeout|no route to host|network is unreachable|unexpected EOF|: EOF\b|Client\.Timeout|"
    r"temporary failure|\b50[0234]\b|context canceled|registry is unavailable",
    re.IGNORECASE,
)
_TOO_MANY = re.compile(r"pull QPS exceeded|toomanyrequests|429 Too Many Requests", re.IGNORECASE)
_PLATFORM = re.compile(r"no match for platform|no matching manifest for|exec format error", re.IGNORECASE)
_DENIED = re.compile(
    r"unauthorized|authentication required|pull access denied|access denied|\bdenied\b|forbidden|"
    r"\b40[13]\b|insufficient_scope|authorization failed|no basic auth credentials",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"not found|manifest.unknown|name.unknown|no such image|does not exist|repository .* not known", re.IGNORECASE
)
_DISK = re.compile(r"no space left on device", re.IGNORECASE)
_CERTIFICATE = re.compile(r"x509|server gave HTTP response to HTTPS client|certificate", re.IGNORECASE)

_ERRORS = (
    (
        _TOO_MANY,
        PullError(
            "image-unreachable", "too many pulls at once: the registry's quota, or the kubelet's", True, soon=True
        ),
    ),
    (_NETWORK, PullError("image-unreachable", "can the nodes reach the registry? Try again when they can", True)),
    (_PLATFORM, PullError("wrong-architecture", "build for the nodes' architecture: [image] platform", False)),
    (_DISK, PullError("no-capacity", "the node's disk is full: free it, or use a smaller image", False)),
    (
        _CERTIFICATE,
        PullError("image-unreachable", "let the nodes trust the registry's certificate, or its plain HTTP", False),
    ),
    (
        _DENIED,
        PullError("image-denied", "let the nodes pull it: image_pull_secrets, or the registry's own permission", False),
    ),
    (_MISSING, PullError("image-missing", "is it in the registry under this name? Publish it again", False)),
)
_UNKNOWN = PullError("image-missing", "can the nodes pull it? See image_pull_secrets, and the registry's log", True)


def pull_error(words: str, image: str) -> PullError:
    """`image` is taken out of the words first: a repository may be called not-found."""
    said = words.replace(image, "") if image else words
    return next((error for pattern, error in _ERRORS if pattern.search(said)), _UNKNOWN)
