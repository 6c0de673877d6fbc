"""gcloud, pointed at the rig: its environment, and calls of `gcloud run`. Standard library only.

gcloud puts the region before the host of its endpoint (`us-central1-run.rig`), so the rig is given to it as its HTTP
proxy: it then needs no name to resolve. It asks nobody for credentials, and keeps its files in a folder of the caller.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REASON = "gcloud is not installed"


def is_installed() -> bool:
    """Whether there is a gcloud in PATH."""
    return shutil.which("gcloud") is not None


def environment(port: int, config: Path, project: str, region: str) -> dict[str, str]:
    """The whole environment of a gcloud that talks to the rig on `port` of this machine."""
    kept = {name: value for name, value in os.environ.items() if not _in_the_way(name)}
    return kept | {
        "CLOUDSDK_CONFIG": str(config),
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN": "http://run.rig/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER": "http://cloudresourcemanager.rig/",
        "CLOUDSDK_PROXY_TYPE": "http",
        "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
        "CLOUDSDK_PROXY_PORT": str(port),
        "CLOUDSDK_CORE_PROJECT": project,
        "CLOUDSDK_RUN_REGION": region,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "true",
        "CLOUDSDK_CORE_SHOULD_PROMPT_TO_ENABLE_API": "false",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
    }


@dataclass(frozen=True)
class Gcloud:
    """`gcloud run` in one project and region."""

    env: Mapping[str, str]

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """`gcloud run WORDS`, to its end, whatever its exit code."""
        return subprocess.run(
            ["gcloud", "run", *words],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def json(self, *words: str) -> Any:
        """What `gcloud run WORDS --format json` says; RuntimeError with its own words when it fails."""
        done = self.run(*words, "--format", "json")
        if done.returncode != 0:
            raise RuntimeError(f"gcloud run {' '.join(words)}: {done.stderr.strip()}")
        return json.loads(done.stdout)


def _in_the_way(name: str) -> bool:
    return name.startswith("CLOUDSDK_") or name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
