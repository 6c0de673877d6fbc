"""What a run of the contract test made: deleted at its end, and a day later if it never came to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.contract.by_hand import ARTIFACTS, RUN, SECRETS, ByHand
from tests.contract.images import registered
from tests.contract.project import LABEL, PREFIX, Project, started

_Chosen = Callable[[str], bool]
"""Of a run's id."""

OLD = 24 * 3600.0
"""Seconds after which a run cannot be at work any more."""


def clean_up(project: Project) -> list[str]:
    """Everything of this run. Gives what it deleted."""
    return _delete(project, lambda run: run == project.run)


def sweep(project: Project) -> list[str]:
    """Everything of runs that began more than a day ago, however they ended. Gives what it deleted."""
    return _delete(project, lambda run: (at := started(run)) is not None and time.time() - at > OLD)


def _delete(project: Project, chosen: _Chosen) -> list[str]:
    by_hand, deleted = ByHand(project), list[str]()
    for name in _services(by_hand, project, chosen):
        by_hand.delete_service(name)
        deleted.append(name)
    for api, name in [*_secrets(by_hand, project, chosen), *_packages(by_hand, project, chosen)]:
        status, said = by_hand.ask("DELETE", api, name)
        assert status in (200, 404), f"DELETE {name}: {status} {said}"
        deleted.append(name)
    return deleted


def _services(by_hand: ByHand, project: Project, chosen: _Chosen) -> Iterator[str]:
    for found in _all(by_hand, RUN, f"{project.parent}/services", "services"):
        if chosen(str(found.get("labels", {}).get(LABEL, ""))):
            yield str(found["name"])


def _secrets(by_hand: ByHand, project: Project, chosen: _Chosen) -> Iterator[tuple[str, str]]:
    for found in _all(by_hand, SECRETS, f"projects/{project.project}/secrets", "secrets"):
        words = str(found["name"]).rpartition("/")[2].split("-")
        if words[0] == PREFIX and len(words) > 1 and chosen(words[1]):
            yield SECRETS, str(found["name"])


def _packages(by_hand: ByHand, project: Project, chosen: _Chosen) -> list[tuple[str, str]]:
    repository = registered(project).resource
    images = _all(by_hand, ARTIFACTS, f"{repository}/dockerImages", "dockerImages", missing_is_none=True)
    packages = {str(found["name"]).rpartition("/")[2].partition("@")[0] for found in images}
    ours = [name for name in packages if name.startswith(f"{PREFIX}-") and chosen(name.removeprefix(f"{PREFIX}-"))]
    return [(ARTIFACTS, f"{repository}/packages/{name}") for name in sorted(ours)]


def _all(by_hand: ByHand, api: str, path: str, what: str, *, missing_is_none: bool = False) -> Iterator[dict[str, Any]]:
    token = ""
    while True:
        status, page = by_hand.ask("GET", api, path, pageSize="100", pageToken=token)
        if status == 404 and missing_is_none:
            return
        assert status == 200, f"GET {path}: {status} {page}"
        yield from page.get(what, [])
        token = page.get("nextPageToken", "")
        if not token:
            return
