"""After a good release: whose images may go."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shipper.operations.release import _tidy

pytestmark = pytest.mark.unit


class Engine:
    """Remembers whose images it was told to prune."""

    def __init__(self, *, hosts: bool) -> None:
        self.pruned: list[str] = []
        self._hosts = hosts

    def hosts_services(self) -> bool:
        return self._hosts

    def prune(self, service: str) -> None:
        self.pruned.append(service)


def tidied(engine: Engine, repository: str | None) -> list[str]:
    settings: Any = SimpleNamespace(image=SimpleNamespace(repository=repository))
    workspace: Any = SimpleNamespace(service="shop", settings=settings)
    place: Any = SimpleNamespace(target=object())
    workshop: Any = SimpleNamespace(engine=engine)
    telling: Any = None
    _tidy(workspace, place, workshop, telling)
    return engine.pruned


def test_images_that_are_in_a_registry_are_pruned_where_nothing_runs() -> None:
    assert tidied(Engine(hosts=False), "registry.example.com/shop") == ["shop"]


@pytest.mark.parametrize(("hosts", "repository"), [(True, "registry.example.com/shop"), (False, None), (True, None)])
def test_where_an_image_may_be_a_way_back_none_is_pruned(hosts: bool, repository: str | None) -> None:
    assert tidied(Engine(hosts=hosts), repository) == []
