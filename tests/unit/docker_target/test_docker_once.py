"""A command that runs once: how it ended counts, whatever becomes of its container afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker.errors
import pytest
import requests

from shipper.targets import Conflict
from shipper_targets.docker.once import Once
from tests.unit.knative.knative_objects import release_of

pytestmark = pytest.mark.unit


class Told:
    """What a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.remarks: list[str] = []

    def log(self, text: str) -> None:
        self.lines.append(text)

    def remark(self, text: str) -> None:
        self.remarks.append(text)


class Engine:
    """The SDK's client, as far as a command needs it; `removing` is what a removal ends with."""

    def __init__(self, status: int = 0, *, running: str = "", removing: Exception | None = None) -> None:
        self.status, self.running, self.removing = status, running, removing
        self.removed: list[str] = []
        self.api = self
        self.containers_made: list[str] = []

    # containers.create of the high-level client, and containers(...) of the low-level one, have one name.
    class _Containers:
        def __init__(self, engine: Engine) -> None:
            self._engine = engine

        def create(self, image: str, *, name: str, **options: Any) -> None:
            self._engine.containers_made.append(name)

        def __call__(self, **filters: Any) -> list[dict[str, Any]]:
            name = self._engine.running
            return [{"Names": [f"/{name}"], "State": "running"}] if name else []

    @property
    def containers(self) -> _Containers:
        return self._Containers(self)

    def start(self, name: str) -> None:
        assert name in self.containers_made

    def logs(self, name: str, *, stream: bool, follow: bool) -> Iterator[bytes]:
        yield b"migrating\nmig"
        yield b"rated"

    def wait(self, name: str) -> dict[str, int]:
        return {"StatusCode": self.status}

    def remove_container(self, name: str, *, force: bool, v: bool) -> None:
        if self.removing is not None:
            raise self.removing
        self.removed.append(name)


def in_progress() -> Exception:
    answer = requests.Response()
    answer.status_code = 409
    return docker.errors.APIError("409", response=answer, explanation="removal of container x is already in progress")


def run(engine: Engine, told: Told) -> int:
    return Once(engine, "shipper", "shop", told, None).run(release_of(), "image", ["migrate"], None)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [0, 3])
def test_its_status_is_told_and_its_container_is_gone(status: int) -> None:
    engine, told = Engine(status), Told()
    assert run(engine, told) == status
    assert told.lines == ["migrating", "migrated"]
    assert engine.removed == engine.containers_made


@pytest.mark.parametrize("error", [in_progress(), requests.ConnectionError("connection reset by peer")])
def test_a_container_that_stays_for_now_is_a_remark_and_no_failure(error: Exception) -> None:
    told = Told()
    assert run(Engine(0, removing=error), told) == 0
    (remark,) = told.remarks
    assert "could not be removed" in remark


def test_one_that_hangs_is_named_with_the_way_out() -> None:
    engine = Engine(running="shipper-shop-7-abc-once")
    with pytest.raises(Conflict, match="docker rm -f shipper-shop-7-abc-once"):
        run(engine, Told())
    assert engine.containers_made == []
