"""What every pod of the stand-in shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.rig.kubernetes.nodes.apiserver import ApiServer, Object
from tests.rig.kubernetes.pods.environment import Lookups
from tests.rig.kubernetes.pods.events import Events
from tests.rig.kubernetes.pods.runtime import Runtime

if TYPE_CHECKING:
    from tests.rig.kubernetes.pods.engine import Engine


@dataclass(frozen=True)
class World:
    """`cast` chooses what a container runs on, and may add to its spec; `factor` scales back-offs of a namespace."""

    api: ApiServer
    folder: Path
    lookups: Lookups
    events: Events
    engine: Engine | None
    cast: Callable[[Object, Object], tuple[Runtime, Object]]
    factor: Callable[[str], float]
