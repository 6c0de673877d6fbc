"""Run inside an isolated engine: build, save, publish, swap and prove; what happened goes out as one JSON line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from shipper.errors import PublishError
from shipper.images.engine import connect
from shipper.registries.oci import OciRegistry
from tests.integration.images.conftest import Project, Switch, Told


def main(folder: str, repository: str) -> None:
    with connect() as engine:
        tested = Project(Path(folder, "a"), engine).write({"Dockerfile": "FROM python:3.11-slim\nENV A=1\n"})
        image, again = tested.build(), tested.build()
        other = Project(Path(folder, "b"), engine).write({"Dockerfile": "FROM python:3.11-slim\nENV A=2\n"}).build()
        archive = engine.archive(image, Told(), Switch())
        registry = OciRegistry()
        published = registry.publish(image, repository, "t", Told(), Switch())
        registry.publish(other, repository, "t", Told(), Switch())
        try:
            swapped = registry.prove(image, repository, "t").reference
        except PublishError as error:
            swapped = error.message
        found = {
            "store": engine.store,
            "has": engine.has(image),
            "same": again.config_digest == image.config_digest and again.cached,
            "id is not the config digest": image.engine_id != image.config_digest,
            "saved": archive.stat().st_size > 1_000_000,
            "published": published.config_digest == image.config_digest,
            "swapped": swapped,
            "pruned": f"{repository}:t" in engine.prune(tested.service.service, keep=0, repository=repository),
            "left": engine.has(image) or engine.has(other),
        }
    print(json.dumps(found))


main(*sys.argv[1:])
