"""Releases and settings to render for Kubernetes, and hypothesis strategies for them."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from shipper.model import ImageRef, Release, Settings, TargetSettings, fingerprint_of
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.text import manifest_text

DIGEST = "sha256:" + "ab" * 32
OTHER_DIGEST = "sha256:" + "cd" * 32
REPOSITORY = "registry.example.com/team/shop"
PLACE = {"context": "prod", "namespace": "shops"}
ID = "01M7Z6KKGHFZM5B2GX6JWMRERD"
UID = "6f1c1a0e-3d0b-4f3e-9a53-0c2d5c1b7a11"


def own(**settings: Any) -> KubernetesSettings:
    """Of a target in one namespace."""
    return KubernetesSettings.model_validate({**PLACE, **settings})


def settings_of(service: str = "shop", environment: str = "production", **sections: Any) -> Settings:
    """Of one service."""
    return Settings.model_validate(
        {
            "service": {"service": service, "environment": environment, "root": "/srv/shop"},
            "image": {"repository": REPOSITORY},
            **sections,
        }
    )


def release_of(
    settings: Settings | None = None,
    *,
    number: int = 7,
    release_id: str = ID,
    secrets: dict[str, str] | None = None,
    digest: str = DIGEST,
    started_in: float | None = None,
    rollback_to: int | None = None,
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
        target="kube",
        place=TargetSettings(name="kube", kind="kubernetes", settings=PLACE),
        secret_versions=secrets or {},
        started_in=started_in,
        rollback_to=rollback_to,
        created=1_795_000_000.0,
    )


def manifests_text(manifests: Iterable[Manifest]) -> str:
    """Several YAML documents in one text."""
    return "---\n".join(manifest_text(manifest) for manifest in manifests)


# Whatever shipper.toml may say.

_word = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
_name = st.builds(lambda head, rest: head + rest, st.sampled_from(string.ascii_lowercase), st.text("ab-9", max_size=39))
names = _name.map(lambda text: text.rstrip("-") or "a")
variables = st.builds(lambda head, rest: head + rest, st.sampled_from("ABC_xyz"), st.text("AB_9z", max_size=20))
texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
_path = st.text("abc/-.", max_size=20).map(lambda text: "/" + text)
_seconds = st.floats(min_value=0.1, max_value=500, allow_nan=False)
_source = st.one_of(
    _word.map("pvc:models-{}/v1".format), _word.map("pvc:{}".format), _word.map("configmap:{}".format), _path
)

runs = st.fixed_dictionaries(
    {},
    optional={
        "port": st.integers(1, 65535),
        "command": st.lists(texts, min_size=1, max_size=3).map(tuple),
        "env": st.dictionaries(variables, texts, max_size=4),
        "cpu": st.one_of(st.sampled_from([0.1, 0.5, 1, 2]), st.floats(0.001, 64)),
        "memory": st.one_of(st.sampled_from(["128MiB", "512MB", "2GiB"]), st.integers(1, 2**36)),
        "gpu": st.integers(0, 2),
        "secrets_as": st.sampled_from(["files", "environment"]),
        "stop_grace": _seconds,
        "user": st.sampled_from(["1000", "1000:2000", "0", "app", "root:root"]),
        "read_only": st.booleans(),
        "volumes": st.lists(st.fixed_dictionaries({"source": _source, "target": _path}), max_size=3),
    },
)
scales = st.fixed_dictionaries({}, optional={"min": st.integers(0, 20), "max": st.integers(1, 40)})
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
rollouts = st.fixed_dictionaries(
    {},
    optional={
        "strategy": st.sampled_from(["rolling", "recreate", "all-at-once", "blue-green", "canary"]),
        "timeout": st.floats(1, 3000),
    },
)
places = st.fixed_dictionaries(
    {},
    optional={
        "name": names,
        "service_account": st.just("shop-runner"),
        "service_account_token": st.booleans(),
        "image_pull_secrets": st.just(("registry",)),
        "labels": st.dictionaries(_word.map("x{}".format), _word, max_size=3),
        "annotations": st.dictionaries(_word.map("example.com/{}".format), texts, max_size=2),
        "node_selector": st.just({"pool": "gpu"}),
        "tolerations": st.just(({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},)),
        "topology_spread": st.booleans(),
        "runtime_class": st.just("gvisor"),
        "priority_class": st.just("high"),
        "cpu_limit": st.booleans(),
        "scratch": st.lists(_path, max_size=2).map(tuple),
        "security": st.fixed_dictionaries(
            {},
            optional={
                "run_as_root": st.booleans(),
                "writable_root": st.booleans(),
                "capabilities": st.just(("NET_BIND_SERVICE",)),
                "seccomp": st.sampled_from(["RuntimeDefault", "Unconfined"]),
                "user": st.sampled_from([0, 1000]),
            },
        ),
        "max_surge": st.sampled_from([0, 1, "25%", "0%"]),
        "max_unavailable": st.sampled_from([0, 1, "50%"]),
        "min_ready": st.sampled_from([0, 5, 0.5]),
        "pre_stop": st.sampled_from([0, 0.5, 10]),
        "pdb": st.booleans(),
        "autoscale": st.just({"memory": 80, "stabilize_down": 60}),
        "service_type": st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]),
        "service_port": st.integers(1, 65535),
    },
)
exposures = st.sampled_from(
    [
        {},
        {"ingress": {"host": "shop.example.com"}},
        {"ingress": {"host": "shop.example.com", "class_name": "nginx", "tls_secret": "shop-tls", "path": "/shop"}},
        {"gateway": {"name": "front", "hosts": ["shop.example.com", "www.example.com"]}},
        {"gateway": {"name": "front", "namespace": "edge", "section": "web", "hosts": ["shop.example.com"]}},
    ]
)
versions = st.dictionaries(
    variables, st.integers(1, 99).map(lambda number: f"kubernetes:keys/token@{UID}.{number}"), max_size=3
)
configurations = st.tuples(
    st.builds(
        lambda service, environment, run, scale, health, rollout: settings_of(
            service, environment, run=run, scale=scale, health=health, rollout=rollout
        ),
        names,
        names,
        runs,
        scales,
        healths,
        rollouts,
    ),
    st.builds(lambda place, exposure: own(**place, **exposure), places, exposures),
    versions,
)
"""(settings, own settings, secret versions)"""
