"""Manifests as files, for people and for those who bring them to a cluster another way (Argo CD, Flux). Pure.

Always as one Deployment `<base>`: what is in a repository cannot be named after a release that is not made yet.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from shipper.errors import ConfigError
from shipper.model import Problem, Release
from shipper_targets.kubernetes.limits import limit_problems
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.own_manifests import render_own
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.text import manifest_text

_HASH = re.compile(r"-[0-9a-f]{8}$")


def rendered_files(
    release: Release, own: KubernetesSettings, source: Source, recorded: Rendered | None = None
) -> tuple[tuple[str, str], ...]:
    """File name and text. `recorded`: what was applied for this release, when it is known; the project's own manifests
    come from there. Raises ConfigError (2) where one that is not made yet has what Kubernetes cannot do, and for
    manifests that cannot be read.
    """
    own = _of_then(release, own)
    if not release.number:
        refuse_unrenderable(limit_problems(release.settings, own), release.target)
    if not own.has_own_manifests:
        return files_of(render(release, own, "rolling"))
    return files_of(recorded if recorded is not None else render_own(source.objects, release, own))


def refuse_unrenderable(problems: Sequence[Problem], target: str) -> None:
    """Raises ConfigError with all of them, where there are any; how a service is asked is in no manifest."""
    problems = [one.told_of(target, lambda _: "") for one in problems]
    if lines := [f"{one.key}: {one.message}; {one.hint}" for one in problems if not one.key.startswith("smoke.")]:
        raise ConfigError("this configuration cannot be rendered", hint="change these settings", details=lines)


def files_of(whole: Rendered) -> tuple[tuple[str, str], ...]:
    """One file for each object, named after it: `deployment-shop.yaml`. In the order in which they are applied.

    Raises ConfigError where two would have the same file.
    """
    short = [_file_name(manifest) for manifest in whole.manifests]
    twice = Counter(short)
    names = [
        name if twice[name] == 1 else _longer_name(manifest)
        for name, manifest in zip(short, whole.manifests, strict=True)
    ]
    for name, count in Counter(names).items():
        if count > 1:
            same = [str(one.key) for one, found in zip(whole.manifests, names, strict=True) if found == name]
            raise ConfigError(f"{' and '.join(same)} would both be written to {name}", hint="rename one of them")
    return tuple((name, manifest_text(one)) for name, one in zip(names, whole.manifests, strict=True))


def _of_then(release: Release, own: KubernetesSettings) -> KubernetesSettings:
    """The target's settings that a release was made with; those of now for one that is not made yet."""
    if not release.number or release.place is None:
        return own
    return KubernetesSettings.model_validate(dict(release.place.settings))


def _file_name(manifest: Manifest) -> str:
    """Without the hash of an immutable ConfigMap's name: a change of its content is a change of one file."""
    name = _HASH.sub("", manifest.name) if manifest.body.get("immutable") else manifest.name
    return f"{manifest.kind.lower()}-{_safe(name)}.yaml"


def _longer_name(manifest: Manifest) -> str:
    """Where two kinds of one name, or two contents of one ConfigMap, would have the same file."""
    group = manifest.key.group or "core"
    return f"{manifest.kind.lower()}.{_safe(group)}-{_safe(manifest.name)}.yaml"


def _safe(name: str) -> str:
    """Names of RBAC objects have colons ("system:basic-user")."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)
