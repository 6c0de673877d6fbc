"""Limits of a pod: its user, volumes, secrets, amounts. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from shipper.model import Problem, Settings
from shipper.targets import SECRETS_DIRECTORY, Invalid
from shipper_targets.kubernetes.secret_refs import parse_reference
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.volumes import CLAIM, CONFIG_MAP, TMP, source_of

SMALLEST_MEMORY = 6 * 2**20
"""Bytes: Docker takes no less (its documentation, resource constraints), and the smoke test runs there."""

LONGEST_GRACE = 3600


def problem(key: str, message: str, hint: str) -> Problem:
    """One of the configuration: exit code 2."""
    return Problem(code=2, key=key, message=message, hint=hint)


def pod_problems(settings: Settings, own: KubernetesSettings) -> list[Problem]:
    """All of them."""
    return [*_user(settings, own), *_volumes(settings, own), *_secrets(settings), *_amounts(settings)]


def pod_remarks(settings: Settings, own: KubernetesSettings) -> list[str]:
    """What holds in another way than in the smoke test."""
    run = settings.run
    found = []
    if not run.read_only and not own.security.writable_root:
        found.append("the root file system is read-only here, and was not in the smoke test: set run.read_only = true")
    if run.cpu is not None and not own.cpu_limit:
        found.append("run.cpu is a request here: an idle node gives more; cpu_limit = true makes it a limit")
    return found


def _user(settings: Settings, own: KubernetesSettings) -> Iterator[Problem]:
    user, security = settings.run.user, own.security
    numbers = user.split(":") if user is not None else []
    if any(not part.isdecimal() or int(part) >= 2**31 for part in numbers):
        yield problem(
            "run.user",
            f'Kubernetes takes users by number, and "{user}" is a name',
            'write it as numbers, such as "1000:1000"',
        )
    elif numbers and int(numbers[0]) == 0 and not security.run_as_root:
        yield problem("run.user", "root is not allowed here", "choose another user, or set security.run_as_root = true")
    if user is None and security.user == 0 and not security.run_as_root:
        yield problem("targets.security.user", "root is not allowed here", "set run_as_root = true as well")
    if settings.run.read_only and security.writable_root:
        yield problem("targets.security.writable_root", "run.read_only asks for the contrary", "drop one of the two")


def _volumes(settings: Settings, own: KubernetesSettings) -> Iterator[Problem]:
    for volume in settings.run.volumes:
        found = source_of(volume.source)
        if found is None:
            yield problem(
                "run.volumes",
                f"a pod has no host that {volume.source} could be on",
                f'write source = "{CLAIM}NAME/DIRECTORY" (a PersistentVolumeClaim) or "{CONFIG_MAP}NAME"',
            )
        elif not found[1]:
            yield problem("run.volumes", f'"{volume.source}" names no object', f'write "{CLAIM}NAME"')
        elif found[0] == CONFIG_MAP and found[2]:
            yield problem("run.volumes", f'"{volume.source}": a ConfigMap has no directories', "mount all of it")
        elif ".." in found[2].split("/"):
            yield problem("run.volumes", f'"{volume.source}" leads out of the volume', "name a directory inside it")
    targets = [volume.target.rstrip("/") or "/" for volume in settings.run.volumes]
    targets += [path.rstrip("/") or "/" for path in own.scratch]
    for target in sorted({target for target in targets if targets.count(target) > 1}):
        yield problem("run.volumes", f"{target} is mounted twice", "give each volume a directory of its own")
    for target in sorted({*targets} & {"/", SECRETS_DIRECTORY}):
        yield problem("run.volumes", f"{target} cannot be a volume here", "choose another directory")
    if TMP in [path.rstrip("/") for path in own.scratch] and not own.security.writable_root:
        yield problem("targets.scratch", f"{TMP} is writable already, in memory", "raise tmp_size, or leave it out")


def _secrets(settings: Settings) -> Iterator[Problem]:
    for name, text in settings.run.secrets.items():
        try:
            parse_reference(text)
        except Invalid as error:
            yield problem(f"run.secrets.{name}", str(error), "its value has to be in a Secret of the namespace")


def _amounts(settings: Settings) -> Iterator[Problem]:
    run = settings.run
    if run.memory is not None and run.memory < SMALLEST_MEMORY:
        yield problem(
            "run.memory", f"with {run.memory} bytes of memory no container starts", 'such as memory = "64MiB"'
        )
    if run.stop_grace > LONGEST_GRACE:
        yield problem("run.stop_grace", "a pod that may take more than an hour to stop holds up its node", "lower it")
