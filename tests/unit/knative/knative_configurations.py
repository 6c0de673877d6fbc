"""Configurations as somebody might write them: good ones, and those that Knative refuses."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from shipper.model import Release
from shipper_targets.knative.settings import KnativeSettings
from tests.unit.knative.knative_objects import VERSION, own, release_of, settings_of

_variable = st.builds(lambda head, rest: head + rest, st.sampled_from("ABC_xyz"), st.text("AB_9z", max_size=20))
_text = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
_path = st.text("abc/-.", max_size=20).map(lambda text: "/" + text)
_seconds = st.floats(min_value=0.1, max_value=900, allow_nan=False)
_whole = st.integers(1, 5000).map(float)
RUNS = st.fixed_dictionaries(
    {},
    optional={
        "port": st.one_of(st.integers(1, 65535), st.sampled_from([8012, 9090])),
        "env": st.dictionaries(st.one_of(_variable, st.just("PORT")), _text, max_size=4),
        "cpu": st.floats(0.01, 64),
        "memory": st.integers(2**23, 2**36),
        "gpu": st.integers(0, 2),
        "secrets_as": st.sampled_from(["files", "environment"]),
        "volumes": st.lists(
            st.fixed_dictionaries(
                {"source": st.sampled_from(["configmap:settings", "pvc:models/v1", "/srv"]), "target": _path}
            ),
            max_size=3,
        ),
    },
)
SCALES = st.fixed_dictionaries(
    {}, optional={"min": st.integers(0, 20), "max": st.integers(1, 20), "concurrency": st.integers(1, 2000)}
)
HEALTHS = st.fixed_dictionaries(
    {}, optional={"path": _path, "liveness": _path, "startup": _seconds, "timeout": _seconds}
)
TARGETS = st.fixed_dictionaries(
    {},
    optional={
        "visibility": st.sampled_from(["public", "cluster-local"]),
        "timeout": st.one_of(_whole, st.floats(0.5, 1000)),
        "http2": st.booleans(),
        "cpu_limit": st.booleans(),
        "service_account": st.sampled_from(["shop", "shop.v1", "a-.b"]),
        "node_selector": st.just({"pool": "gpu"}),
        "labels": st.dictionaries(st.text(string.ascii_lowercase, min_size=1, max_size=8), st.just("x"), max_size=2),
        "security": st.fixed_dictionaries(
            {},
            optional={
                "writable_root": st.booleans(),
                "run_as_root": st.booleans(),
                "capabilities": st.just(["NET_BIND_SERVICE"]),
                "user": st.integers(1, 70000),
                "group": st.integers(1, 70000),
            },
        ),
        "autoscale": st.fixed_dictionaries(
            {},
            optional={
                "by": st.sampled_from(["kpa", "hpa"]),
                "metric": st.sampled_from(["concurrency", "rps", "cpu"]),
                "target": st.floats(0.001, 1000),
                "window": st.one_of(_whole, st.floats(1, 5000)),
                "initial": st.integers(0, 3),
                "activation": st.integers(2, 30),
                "burst": st.sampled_from([-1, 0, 200]),
            },
        ),
    },
)


@st.composite
def configured(draw: st.DrawFn, namespace: str) -> tuple[Release, KnativeSettings]:
    """A release of such a configuration, and the target's settings."""
    settings = settings_of(run=draw(RUNS), scale=draw(SCALES), health=draw(HEALTHS))
    release = release_of(settings, secrets={"TOKEN": VERSION} if draw(st.booleans()) else {})
    return release, own(**draw(TARGETS), namespace=namespace)
