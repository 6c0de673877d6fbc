"""Volumes of a revision: buckets of Cloud Storage, read-only, and the one secret that can be a file. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from google.cloud import run_v2

from shipper.model import RunSettings
from shipper.targets import SECRETS_DIRECTORY
from shipper_targets.cloudrun.secret_names import parse_version

BUCKET = "gs://"
SECRET_MODE = 0o444
"""Who reads it is the container's user, whoever that is: the platform mounts it for all of its users."""


def volumes_of(
    run: RunSettings, secret_versions: Mapping[str, str]
) -> tuple[list[run_v2.Volume], list[run_v2.VolumeMount]]:
    """Volumes and where they are mounted. Other sources than buckets are preflight's to refuse."""
    made = [*_buckets(run), *_secrets(run, secret_versions)]
    return [volume for volume, _ in made], [mount for _, mount in made]


def _buckets(run: RunSettings) -> Iterator[tuple[run_v2.Volume, run_v2.VolumeMount]]:
    for at, wanted in enumerate(run.volumes):
        bucket, _, directory = wanted.source.removeprefix(BUCKET).partition("/")
        source = run_v2.GCSVolumeSource(bucket=bucket, read_only=True)
        if directory.strip("/"):
            source.mount_options = [f"only-dir={directory.strip('/')}"]
        yield (
            run_v2.Volume(name=f"volume-{at}", gcs=source),
            run_v2.VolumeMount(name=f"volume-{at}", mount_path=wanted.target),
        )


def _secrets(run: RunSettings, versions: Mapping[str, str]) -> Iterator[tuple[run_v2.Volume, run_v2.VolumeMount]]:
    """A mount has its directory for itself: of several secrets only one can be in /run/secrets (preflight says so)."""
    if run.secrets_as != "files":
        return
    for at, (name, version) in enumerate(sorted(versions.items())):
        secret, number = parse_version(version)
        source = run_v2.SecretVolumeSource(
            secret=secret, items=[run_v2.VersionToPath(path=name, version=number)], default_mode=SECRET_MODE
        )
        yield (
            run_v2.Volume(name=f"secret-{at}", secret=source),
            run_v2.VolumeMount(name=f"secret-{at}", mount_path=SECRETS_DIRECTORY),
        )
