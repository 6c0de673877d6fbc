"""What Cloud Run cannot do, and its limits: every problem of a configuration at once. Pure.

Sources: Cloud Run's documentation (CPU, memory, GPUs, health checks, request timeout, quotas, environment variables,
Cloud Storage volumes) and the field descriptions of google.cloud.run_v2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shipper.model import Problem, Settings
from shipper.model.quantities import show_duration
from shipper_targets.cloudrun.container import LONGEST_STARTUP, seconds_of
from shipper_targets.cloudrun.hosts import repository_problem
from shipper_targets.cloudrun.limits_resources import problem, resource_problems
from shipper_targets.cloudrun.scaling import PLATFORM_MAX
from shipper_targets.cloudrun.settings import LONGEST_SERVICE, CloudRunSettings
from shipper_targets.cloudrun.volumes import BUCKET

PLATFORM = "linux/amd64"
LONGEST_REQUEST = 3600
MOST_CONCURRENT = 1000
MOST_VARIABLES, LONGEST_VALUE = 1000, 32768
STOP_GRACE = 10
"""Seconds from SIGTERM to SIGKILL; nobody can change them."""

_RESERVED = re.compile(r"PORT|K_SERVICE|K_REVISION|K_CONFIGURATION|X_GOOGLE_.*")
_BUCKET = re.compile(r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")


def limit_problems(settings: Settings, own: CloudRunSettings) -> list[Problem]:
    """All of them; nothing is asked."""
    return [
        *_name(own),
        *_image(settings),
        *_run(settings),
        *_environment(settings),
        *_secrets(settings),
        *_volumes(settings, own),
        *resource_problems(settings, own),
        *_health(settings),
        *_scale(settings),
        *_target(own),
    ]


def remarks_of(settings: Settings) -> list[str]:
    """What is asked for and does not hold on Cloud Run, and is no reason to refuse."""
    if not settings.run.read_only:
        return []
    return ["run.read_only does not hold: Cloud Run's file system is writable, in memory"]


def _name(own: CloudRunSettings) -> Iterator[Problem]:
    if own.service is not None and len(own.service) > LONGEST_SERVICE:
        yield problem(
            "targets.service",
            f"{own.service} leaves no room for a tag: name and tag have 46 characters together",
            f"choose a name of at most {LONGEST_SERVICE} characters",
        )


def _image(settings: Settings) -> Iterator[Problem]:
    if (found := repository_problem(settings.image.repository)) is not None:
        yield found
    wanted = settings.image.platform
    if wanted is not None and wanted != PLATFORM:
        yield problem(
            "image.platform",
            f"the image is to be built for {wanted}, Cloud Run runs {PLATFORM}",
            f'set platform = "{PLATFORM}", or leave it out',
        )


def _run(settings: Settings) -> Iterator[Problem]:
    run = settings.run
    if run.user is not None:
        yield problem("run.user", "Cloud Run runs the image as its own USER", "set USER in the Dockerfile")
    if run.stop_grace > STOP_GRACE:
        yield problem(
            "run.stop_grace",
            f"Cloud Run gives an instance {STOP_GRACE} s to stop, not {show_duration(run.stop_grace)}",
            f'set stop_grace = "{STOP_GRACE}s", and end sooner',
        )


def _environment(settings: Settings) -> Iterator[Problem]:
    env = settings.run.env
    names = [*env, *(settings.run.secrets if settings.run.secrets_as == "environment" else ())]
    for name in [name for name in names if _RESERVED.fullmatch(name)]:
        yield problem(f"run.env.{name}", f"Cloud Run sets {name} itself", "give the variable another name")
    for name, value in env.items():
        if len(value.encode()) > LONGEST_VALUE:
            yield problem(f"run.env.{name}", f"its value has more than {LONGEST_VALUE} bytes", "put it into a file")
    if len(names) > MOST_VARIABLES:
        yield problem("run.env", f"{len(names)} variables are more than {MOST_VARIABLES}", "put them into a file")


def _secrets(settings: Settings) -> Iterator[Problem]:
    secrets, run = settings.run.secrets, settings.run
    if len(secrets) > 1 and run.secrets_as == "files":
        yield problem(
            "run.secrets_as",
            f"Cloud Run can put one secret into /run/secrets, and here are {len(secrets)}",
            'write secrets_as = "environment": references only, the values stay in Secret Manager',
        )
    for name in sorted({*run.env} & {*secrets}) if run.secrets_as == "environment" else ():
        yield problem(f"run.secrets.{name}", f"{name} is a variable and a secret", "keep one of them")


def _volumes(settings: Settings, own: CloudRunSettings) -> Iterator[Problem]:
    volumes = settings.run.volumes
    for volume in volumes:
        bucket = volume.source.removeprefix(BUCKET).partition("/")[0]
        if not volume.source.startswith(BUCKET):
            yield problem(
                "run.volumes",
                f"Cloud Run has no host that {volume.source} could be on",
                'put it into a bucket: source = "gs://BUCKET/DIRECTORY"; or into the image',
            )
        elif not _BUCKET.match(bucket):
            yield problem("run.volumes", f'"{bucket}" is no name of a bucket', "write gs://BUCKET/DIRECTORY")
    targets = [volume.target for volume in volumes]
    if len({*targets}) < len(targets):
        yield problem("run.volumes", "two volumes have the same target", "give each a directory of its own")
    if volumes and own.execution_environment == "gen1":
        yield problem(
            "targets.execution_environment", "buckets need the second generation", 'set execution_environment = "gen2"'
        )


def _health(settings: Settings) -> Iterator[Problem]:
    health = settings.health
    if not 200 <= health.status < 400:
        yield problem(
            "health.status",
            f"Cloud Run's probes take 200 to 399 for ready, not {health.status}",
            "let the readiness path answer 200",
        )
    if health.startup > LONGEST_STARTUP:
        yield problem(
            "health.startup",
            f"Cloud Run waits {LONGEST_STARTUP} s for a start, not {show_duration(health.startup)}",
            "load less before listening: a smaller model, or from a volume",
        )
    if seconds_of(health.timeout) > LONGEST_STARTUP:
        yield problem(
            "health.timeout", f"a probe may take {LONGEST_STARTUP} s at most", "answer the readiness path sooner"
        )


def _scale(settings: Settings) -> Iterator[Problem]:
    scale = settings.scale
    if scale.min is not None and scale.max is None and scale.min > PLATFORM_MAX:
        yield problem(
            "scale.min",
            f"{scale.min} is more than {PLATFORM_MAX}, Cloud Run's maximum where none is asked for",
            f"set max = {scale.min} or more, or lower min",
        )
    if scale.min is not None and scale.max is not None and scale.min > scale.max:
        yield problem("scale.min", f"{scale.min} is more than max = {scale.max}", "raise max, or lower min")
    if scale.concurrency is not None and scale.concurrency > MOST_CONCURRENT:
        yield problem(
            "scale.concurrency",
            f"an instance takes {MOST_CONCURRENT} requests at once at most, not {scale.concurrency}",
            "ask for less",
        )


def _target(own: CloudRunSettings) -> Iterator[Problem]:
    if own.timeout is not None and not 1 <= own.timeout <= LONGEST_REQUEST:
        yield problem("targets.timeout", "a request may take from 1 s to an hour", "choose a time between these")
    if own.connector and (own.network or own.subnet):
        yield problem("targets.connector", "either a connector or network and subnet", "leave one of them out")
    if own.egress and not (own.connector or own.network or own.subnet):
        yield problem("targets.egress", "there is no VPC that traffic could leave through", "set network or connector")
    if own.access == "internal" and own.ingress == "all":
        yield problem("targets.ingress", 'access = "internal" and ingress = "all" exclude each other', "drop one")
