"""What one field cannot say: settings that contradict each other, and paths that leave the repository."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shipper.config.builder import builder_contradictions
from shipper.config.positions import KeyPath
from shipper.config.repository import inside, repository_of
from shipper.model.quantities import show_duration
from shipper.model.settings import (
    GoldenRequest,
    ImageSettings,
    LedgerSettings,
    RolloutSettings,
    RunSettings,
    ScaleSettings,
    SmokeSettings,
)
from shipper.targets.container import SECRETS_DIRECTORY


@dataclass(frozen=True)
class Contradiction:
    """What is wrong at a path below the section, and what to do."""

    path: KeyPath
    message: str
    hint: str
    against: str = ""  # the section's other key that it contradicts


def contradictions(name: str, section: Any, root: Path, unknown: Collection[str | int] = ()) -> list[Contradiction]:
    """Everything wrong between the fields of one valid section. `root` is the folder of shipper.toml.

    `unknown` are keys whose value was wrong, so that the section has their default: nothing is said about them.
    """
    check = _CHECKS.get(name)
    every = check(section, root) if check else ()
    return [one for one in every if one.path[0] not in unknown and one.against not in unknown]


def _image(image: ImageSettings, root: Path) -> Iterator[Contradiction]:
    repository = repository_of(root)
    for key in ("dockerfile", "context"):
        path = str(getattr(image, key))
        if Path(path).is_absolute():
            yield Contradiction((key,), "an absolute path", "write it relative to shipper.toml")
        elif not inside(repository, root / path):
            yield Contradiction((key,), "leads out of the repository", "build from files of the repository only")
    for key in ("cache_to", "cache_from"):
        for index, entry in enumerate(getattr(image, key)):
            if _is_inline(entry):
                message = "an inline cache changes the image that was tested"
                yield Contradiction((key, index), message, 'use another cache, such as "type=registry,ref=…"')
    for where, message, hint, against in builder_contradictions(image):
        yield Contradiction(where, message, hint, against)


def _is_inline(entry: str) -> bool:
    fields = [field.strip().strip('"').strip().lower() for field in entry.split(",")]
    return any(field.replace(" ", "") == "type=inline" for field in fields)


def _run(run: RunSettings, _root: Path) -> Iterator[Contradiction]:
    port = run.env.get("PORT")
    if port is not None and port != str(run.port):
        yield Contradiction(
            ("env", "PORT"), f"contradicts run.port = {run.port}", "remove it; PORT is set from run.port", "port"
        )
    taken: set[str] = set()
    for index, volume in enumerate(run.volumes):
        target = "/" + volume.target.strip("/")
        where: KeyPath = ("volumes", index, "target")
        if target == "/" or ".." in target.split("/"):
            yield Contradiction(where, "cannot be mounted there", 'name a directory such as "/models"')
        elif target in taken:
            yield Contradiction(where, "another volume is already mounted there", "give each volume its own target")
        elif run.secrets and f"{target}/".startswith(f"{SECRETS_DIRECTORY}/"):
            yield Contradiction(where, "the secrets are mounted there", "choose another target", "secrets")
        taken.add(target)


def _scale(scale: ScaleSettings, _root: Path) -> Iterator[Contradiction]:
    if scale.max is not None and scale.min is not None and scale.max < scale.min:
        message = f"scale.max = {scale.max} is below scale.min = {scale.min}"
        yield Contradiction(("max",), message, f"write max = {max(1, scale.min)} or a smaller min", "min")


def _smoke(smoke: SmokeSettings, _root: Path) -> Iterator[Contradiction]:
    first: dict[str, int] = {}
    for index, request in enumerate(smoke.requests):
        if request.name in first:
            message = f"the same name as requests[{first[request.name]}]"
            yield Contradiction(("requests", index, "name"), message, "give each request its own name")
        first.setdefault(request.name, index)
        yield from _request(index, request)


def _request(index: int, request: GoldenRequest) -> Iterator[Contradiction]:
    if request.body is not None and request.json_ is not None:
        message = "both json and body are given"
        yield Contradiction(("requests", index, "body"), message, "keep one of them")
    status = request.expect.status
    if request.bad and status is not None and not 400 <= status < 500:
        message = f"bad = true is answered with 4xx, but expect.status = {status}"
        yield Contradiction(("requests", index, "expect", "status"), message, "remove bad or the status")


def _rollout(rollout: RolloutSettings, _root: Path) -> Iterator[Contradiction]:
    for index, (before, after) in enumerate(pairwise(rollout.steps), 1):
        if after <= before:
            message = f"{after} does not rise above {before}, the step before it"
            yield Contradiction(("steps", index), message, "write rising shares, such as steps = [10, 50]")
    if rollout.strategy == "canary" and not rollout.steps:
        hint = "write steps = [10, 50], or choose all-at-once"
        yield Contradiction(("steps",), "a canary needs at least one step", hint, "strategy")
    baking = _baking(rollout)
    if baking >= rollout.deadline:
        message = f"{show_duration(baking)} of bake time do not fit into {show_duration(rollout.deadline)}"
        yield Contradiction(("deadline",), message, "raise deadline, or bake for less time", "bake")


def _baking(rollout: RolloutSettings) -> float:
    """Seconds that the strategy bakes in all; none where the target chooses the strategy."""
    times = {"canary": len(rollout.steps), "blue-green": 1}.get(rollout.strategy or "", 0)
    return times * rollout.bake


def _ledger(ledger: LedgerSettings, _root: Path) -> Iterator[Contradiction]:
    if ledger.url is None:
        return
    try:
        parts = urlsplit(ledger.url)
        credentials = parts.username is not None or parts.password is not None
    except ValueError:
        yield Contradiction(("url",), "not a URL", LEDGER_HINT)
        return
    if parts.scheme not in LEDGER_SCHEMES:
        yield Contradiction(("url",), f'"{parts.scheme or "no scheme"}" is no kind of ledger', LEDGER_HINT)
    elif parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        yield Contradiction(("url",), "a file ledger needs an absolute path", "write file:///srv/shipper/ledger")
    elif parts.scheme != "file" and not parts.netloc:
        yield Contradiction(("url",), "names no bucket", LEDGER_HINT)
    elif credentials:
        hint = "leave them out; the store's own environment variables are used"
        yield Contradiction(("url",), "has credentials in it", hint)


LEDGER_SCHEMES = ("s3", "gs", "az", "file", "memory")
LEDGER_HINT = 'write "s3://bucket/prefix", "gs://…", "az://…" or "file:///absolute/path"'

_CHECKS: dict[str, Callable[[Any, Path], Iterator[Contradiction]]] = {
    "image": _image,
    "run": _run,
    "rollout": _rollout,
    "ledger": _ledger,
    "scale": _scale,
    "smoke": _smoke,
}
