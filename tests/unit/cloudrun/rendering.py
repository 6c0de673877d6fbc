"""Releases and settings to render, and hypothesis strategies for them."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

from shipper.model import ImageRef, Release, Settings, TargetSettings, fingerprint_of
from shipper_targets.cloudrun.settings import CloudRunSettings

DIGEST = "sha256:" + "ab" * 32
REPOSITORY = "europe-west1-docker.pkg.dev/demo/images/shop"
PLACE = {"project": "demo", "region": "europe-west1"}
ID = "01M7Z6KKGHFZM5B2GX6JWMRERD"


def own(**settings: Any) -> CloudRunSettings:
    """Of a target in one project and region."""
    return CloudRunSettings.model_validate({**PLACE, **settings})


def settings_of(service: str = "shop", environment: str = "dev", **sections: Any) -> Settings:
    """Of one service."""
    return Settings.model_validate(
        {"service": {"service": service, "environment": environment, "root": "/srv/shop"}, **sections}
    )


def release_of(
    settings: Settings | None = None,
    *,
    number: int = 7,
    release_id: str = ID,
    secrets: dict[str, str] | None = None,
    place: dict[str, Any] | None = None,
    digest: str = DIGEST,
) -> Release:
    """Published: its image is named by digest."""
    settings = settings or settings_of()
    images = {
        "main": ImageRef(
            config_digest=digest,
            manifest_digest=digest,
            reference=f"{REPOSITORY}@{digest}",
            platform="linux/amd64",
        )
    }
    return Release(
        id=release_id,
        number=number,
        fingerprint=fingerprint_of(images, settings, secrets or {}),
        images=images,
        settings=settings,
        target="run",
        place=TargetSettings(name="run", kind="cloudrun", settings={**PLACE, **(place or {})}),
        secret_versions=secrets or {},
        created=1_795_000_000.0,
    )


# Whatever shipper.toml may say.

_label = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
_name = st.builds(lambda head, rest: head + rest, st.sampled_from(string.ascii_lowercase), st.text("ab-9", max_size=39))
names = _name.map(lambda text: text.rstrip("-") or "a")
_variable = st.builds(lambda head, rest: head + rest, st.sampled_from("ABC_xyz"), st.text("AB_9z", max_size=20))
_text = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
_path = st.text("abc/-.", max_size=20).map(lambda text: "/" + text)
_seconds = st.floats(min_value=0.1, max_value=500, allow_nan=False)

runs = st.fixed_dictionaries(
    {},
    optional={
        "port": st.integers(1, 65535),
        "command": st.lists(_text, min_size=1, max_size=3).map(tuple),
        "env": st.dictionaries(_variable, _text, max_size=4),
        "cpu": st.one_of(st.sampled_from([0.08, 0.5, 1, 2, 4, 6, 8]), st.floats(0.01, 64)),
        "memory": st.one_of(st.sampled_from(["128MiB", "512MiB", "2GiB", "16GiB"]), st.integers(1, 2**36)),
        "gpu": st.integers(0, 2),
        "secrets_as": st.sampled_from(["files", "environment"]),
        "stop_grace": _seconds,
        "volumes": st.lists(
            st.fixed_dictionaries(
                {"source": st.one_of(_path, _label.map("gs://models-{}/v1".format)), "target": _path}
            ),
            max_size=3,
        ),
    },
)
scales = st.fixed_dictionaries(
    {},
    optional={
        "min": st.integers(0, 1000),
        "max": st.integers(1, 1000),
        "concurrency": st.integers(1, 10000),
        "cpu_idle": st.booleans(),
    },
)
healths = st.fixed_dictionaries(
    {},
    optional={
        "path": _path,
        "status": st.integers(100, 599),
        "liveness": _path,
        "startup": _seconds,
        "timeout": _seconds,
    },
)
targets = st.fixed_dictionaries(
    {},
    optional={
        "access": st.sampled_from(["public", "authenticated", "internal"]),
        "ingress": st.sampled_from(["all", "internal", "internal-and-load-balancing"]),
        "service_account": st.just("shop@demo.iam.gserviceaccount.com"),
        "network": st.just("default"),
        "subnet": st.just("default"),
        "connector": st.just("projects/demo/locations/europe-west1/connectors/c"),
        "egress": st.sampled_from(["all-traffic", "private-ranges-only"]),
        "execution_environment": st.sampled_from(["gen1", "gen2"]),
        "timeout": st.floats(0.5, 5000),
        "cpu_boost": st.booleans(),
        "gpu_type": st.sampled_from(["nvidia-l4", "nvidia-rtx-pro-6000", "nvidia-h100"]),
        "gpu_zonal_redundancy": st.booleans(),
        "min_per": st.sampled_from(["service", "revision"]),
        "readiness_probe": st.booleans(),
        "session_affinity": st.booleans(),
        "labels": st.dictionaries(_label.map("x{}".format), _label, max_size=3),
    },
)
versions = st.dictionaries(
    _variable, st.integers(1, 99).map("projects/demo/secrets/token/versions/{}".format), max_size=3
)
configurations = st.tuples(
    st.builds(
        lambda service, environment, run, scale, health: settings_of(
            service, environment, run=run, scale=scale, health=health
        ),
        names,
        names,
        runs,
        scales,
        healths,
    ),
    targets.map(lambda given: own(**given)),
    versions,
)
