"""Volumes.

Source: the descriptions of Volume and its parts, run/docs/configuring/services/secrets, in-memory-volume-mounts and
cloud-storage-volume-mounts (Cloud Storage needs the second generation).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.cloud import run_v2

from tests.rig.google.cloudrun.quantities import bytes_of

_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_KINDS = ("secret", "cloud_sql_instance", "empty_dir", "nfs", "gcs")
_BUCKET = re.compile(r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")


def volume_violations(template: run_v2.RevisionTemplate) -> Iterator[tuple[str, str]]:
    names = [volume.name for volume in template.volumes]
    for index, volume in enumerate(template.volumes):
        path = f"template.volumes[{index}]"
        if not _LABEL.match(volume.name) or names.count(volume.name) > 1:
            yield f"{path}.name", f"'{volume.name}' must be a DNS label, given once"
        if sum(1 for kind in _KINDS if kind in volume) != 1:
            yield path, f"exactly one of {', '.join(_KINDS)} must be specified"
        if "secret" in volume:
            yield from _secret_violations(path, volume.secret)
        if "gcs" in volume and not _BUCKET.match(volume.gcs.bucket):
            yield f"{path}.gcs.bucket", f"'{volume.gcs.bucket}' is not the name of a bucket"
        if "gcs" in volume and (
            template.execution_environment == run_v2.ExecutionEnvironment.EXECUTION_ENVIRONMENT_GEN1
        ):
            yield "template.execution_environment", "must be gen2 with a Cloud Storage volume"
        if "empty_dir" in volume and volume.empty_dir.size_limit and bytes_of(volume.empty_dir.size_limit) is None:
            yield f"{path}.empty_dir.size_limit", f"'{volume.empty_dir.size_limit}' is not a quantity"


def _secret_violations(path: str, secret: run_v2.SecretVolumeSource) -> Iterator[tuple[str, str]]:
    if not secret.secret:
        yield f"{path}.secret.secret", "must be set"
    if not 0 <= secret.default_mode <= 0o777:
        yield f"{path}.secret.default_mode", "must be between 0 and 0777"
    for index, item in enumerate(secret.items):
        if (
            not item.path or not item.version
        ):  # descr.: "When items are defined, they must specify a path and a version."
            yield f"{path}.secret.items[{index}]", "path and version must be set"
        if item.path.startswith("/") or ".." in item.path.split("/"):
            yield f"{path}.secret.items[{index}].path", f"'{item.path}' must be a relative path without '..'"
