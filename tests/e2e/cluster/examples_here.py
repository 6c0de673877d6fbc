"""The examples on a cluster: with the sections that their README has for it, and a test's own place laid over them."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

from tests.e2e.cluster.conftest import Cluster
from tests.e2e.projects import commit, merged, to_toml
from tests.examples import EXAMPLES, documented


def example(cluster: Cluster, name: str, heading: str, folder: Path) -> Path:
    """A copy of the example, as its README says, but in this test's environment, place and registry."""
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__", ".git", ".train"))
    said, whole = tomllib.loads(documented(name, heading)), cluster.settings()
    here = {"targets": whole["targets"], "ledger": whole["ledger"]}
    image = merged(said.pop("environments")["production"]["image"], whole["image"])
    with (folder / "shipper.toml").open("a") as configuration:
        configuration.write("\n" + to_toml(merged(said, {**here, "environments": {"dev": {"image": image}}})))
    commit(folder, name)
    return folder
