"""Names, references, packed manifests, pruning, files: the small pure parts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from shipper.errors import ConfigError
from shipper.model import Settings
from shipper.targets import Invalid
from shipper_targets.kubernetes.files import files_of, rendered_files
from shipper_targets.kubernetes.labels import is_ours, label_query, owner_of
from shipper_targets.kubernetes.manifest import Key, Manifest, rendered
from shipper_targets.kubernetes.names import LONGEST_BASE, base_of, record_name, revision_name, shape_of
from shipper_targets.kubernetes.packing import MOST_BYTES, pack, pack_json, unpack
from shipper_targets.kubernetes.prune import left, may_go, obsolete
from shipper_targets.kubernetes.quantities import show_cpu, show_memory
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.secret_refs import parse_reference, versions_hash
from shipper_targets.kubernetes.services import moves_a_port, ports_of
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.source import Source
from tests.unit.kubernetes.kube_rendering import UID, configurations, own, release_of, settings_of

pytestmark = pytest.mark.unit

MANY = hypothesis_settings(max_examples=40)


def thing(kind: str, name: str, **more: object) -> Manifest:
    version = "apps/v1" if kind == "Deployment" else "v1"
    return Manifest({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "n"}, **more})


# Names


def test_a_name_says_service_and_environment_and_fits() -> None:
    assert base_of(settings_of("shop", "production"), None) == "shop"
    assert base_of(settings_of("shop", "staging"), None) == "shop-staging"
    assert base_of(settings_of("shop"), "boutique") == "boutique"
    long = base_of(settings_of("a" * 40, "b" * 40), None)
    assert len(long) == LONGEST_BASE
    assert long != base_of(settings_of("a" * 40, "b" * 39 + "c"), None)
    assert len(record_name(revision_name(long, release_of(number=9_999_999)))) <= 63


def test_the_shape_follows_from_the_strategy() -> None:
    assert [shape_of(one) for one in (None, "rolling", "recreate")] == ["rolling"] * 3
    assert [shape_of(one) for one in ("all-at-once", "blue-green", "canary")] == ["weighted"] * 3


# Labels


def test_an_object_is_ours_by_labels_that_nobody_else_sets() -> None:
    labels = render(release_of(), own(), "rolling").main.labels
    assert is_ours(labels, "shop")
    assert not is_ours(labels, "shop-2")
    assert not is_ours({"app.kubernetes.io/managed-by": "shipper", "app.kubernetes.io/instance": "shop"}, "shop")
    assert owner_of(labels) == ("shop", "production")
    assert label_query({"b": "2", "a": "1"}) == "a=1,b=2"


# Quantities


@pytest.mark.parametrize(
    ("size", "shown"), [(2**30, "1Gi"), (512 * 2**20, "512Mi"), (1536, "1536"), (500_000_000, "500M"), (1023, "1023")]
)
def test_memory_is_written_as_the_api_server_would(size: int, shown: str) -> None:
    assert show_memory(size) == shown


@pytest.mark.parametrize(("cores", "shown"), [(2, "2"), (0.5, "500m"), (1.0, "1"), (0.0001, "1m"), (1.25, "1250m")])
def test_cpu_is_written_as_the_api_server_would(cores: float, shown: str) -> None:
    assert show_cpu(cores) == shown


# References to secrets


def test_a_reference_means_itself_and_a_version_of_it_too() -> None:
    plain = parse_reference("kubernetes:keys/api.token")
    assert (plain.secret, plain.key, plain.pinned) == ("keys", "api.token", False)
    pinned = plain.at(UID, "17")
    assert str(pinned) == f"kubernetes:keys/api.token@{UID}.17"
    assert parse_reference(str(pinned)) == pinned


@pytest.mark.parametrize(
    "text", ["keys/api", "kubernetes:keys", "kubernetes:/api", "kubernetes:Keys/api", f"kubernetes:k/a@{UID}", "env:A"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="kubernetes:SECRET/KEY"):
        parse_reference(text)


def test_another_version_of_a_secret_is_another_hash() -> None:
    assert versions_hash({"A": "x", "B": "y"}) == versions_hash({"B": "y", "A": "x"})
    assert versions_hash({"A": "x"}) != versions_hash({"A": "z"})


# Packed manifests


@MANY
@given(configurations)
def test_packed_manifests_come_back_equal_and_pack_the_same(
    configuration: tuple[Settings, KubernetesSettings, dict[str, str]],
) -> None:
    settings, target, secrets = configuration
    whole = render(release_of(settings, secrets=secrets), target, "weighted")
    assert unpack(pack(whole)) == whole
    assert pack(whole) == pack(unpack(pack(whole)))


def test_what_is_too_large_for_a_record_is_refused_clearly() -> None:
    import random

    noise = "".join(chr(random.Random(7).randrange(33, 127)) for _ in range(10))
    text = "".join(noise + str(at * 7919 % 1_000_003) for at in range(300_000))
    with pytest.raises(Invalid, match=f"a record holds {MOST_BYTES}"):
        pack_json({"data": text}, "the manifests")


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"not gzip",
        gzip.compress(b"not json"),
        gzip.compress(b"{}"),
        gzip.compress(json.dumps({"format": 99}).encode()),
        gzip.compress(b"{}")[:-5],
        gzip.compress(b" " * (65 << 20)),
        gzip.compress(b"[" * 100_000),
    ],
    ids=["empty", "not gzip", "not json", "nothing in it", "of a newer format", "cut off", "a bomb", "deep"],
)
def test_what_was_not_packed_here_is_refused(packed: bytes) -> None:
    with pytest.raises(Invalid):
        unpack(packed)


# Pruning

WORKLOAD = Key("apps", "Deployment", "n", "web")
WEB = thing("Deployment", "web")


def test_what_is_not_rendered_any_more_is_obsolete_last_first() -> None:
    before = rendered([thing("ConfigMap", "old"), WEB, thing("Service", "gone")], WORKLOAD)
    now = rendered([thing("ConfigMap", "new"), WEB], WORKLOAD)
    assert [str(key) for key in obsolete([before], now)] == ["Service/gone", "ConfigMap/old"]


def test_what_a_release_needs_that_may_come_back_stays() -> None:
    before = rendered([thing("ConfigMap", "old"), WEB], WORKLOAD)
    now = rendered([thing("ConfigMap", "new"), WEB], WORKLOAD)
    assert obsolete([before], now, kept=[before]) == ()


def test_data_is_never_pruned_and_that_is_told() -> None:
    before = rendered([thing("PersistentVolumeClaim", "data"), WEB], WORKLOAD)
    now = rendered([WEB], WORKLOAD)
    assert obsolete([before], now) == ()
    assert [str(key) for key in left([before], now)] == ["PersistentVolumeClaim/data"]


def test_only_what_has_our_labels_and_no_other_owner_may_go() -> None:
    ours = {"shipper.dev/instance": "shop", "shipper.dev/service": "shop", "shipper.dev/environment": "production"}
    assert may_go({"metadata": {"labels": ours}}, "shop")
    assert not may_go({"metadata": {"labels": ours}}, "shop-2")
    assert not may_go({"metadata": {"labels": ours, "ownerReferences": [{"kind": "App"}]}}, "shop")
    assert not may_go({"metadata": {}}, "shop")
    assert not may_go({}, "shop")


# Files


def test_each_object_is_a_file_whose_name_stays_when_its_content_changes() -> None:
    red = files_of(render(release_of(settings_of(run={"env": {"A": "red"}})), own(), "rolling"))
    blue = files_of(render(release_of(settings_of(run={"env": {"A": "blue"}})), own(), "rolling"))
    names = ["serviceaccount-shop.yaml", "configmap-shop-env.yaml", "deployment-shop.yaml", "service-shop.yaml"]
    assert [name for name, _ in red] == names
    assert [name for name, _ in blue] == names
    assert dict(red)["service-shop.yaml"] == dict(blue)["service-shop.yaml"]


def test_files_that_would_have_one_name_have_longer_ones() -> None:
    own_kind = Manifest({"apiVersion": "example.com/v1", "kind": "Service", "metadata": {"name": "web"}})
    whole = rendered([WEB, thing("Service", "web"), own_kind], WORKLOAD)
    assert [name for name, _ in files_of(whole)] == [
        "deployment-web.yaml",
        "service.core-web.yaml",
        "service.example.com-web.yaml",
    ]


def test_two_objects_of_one_file_name_are_refused() -> None:
    roles = [thing("Role", name) for name in ("a:b", "a_b")]
    with pytest.raises(ConfigError, match="Role/a:b and Role/a_b would both be written to role"):
        files_of(rendered([WEB, *roles], WORKLOAD))


def test_a_release_that_was_made_is_written_out_with_the_settings_of_then(tmp_path: Path) -> None:
    now = own(service_account="given", service_port=9999)
    made, not_made = release_of(settings_of(), number=7), release_of(settings_of(), number=0)

    assert "serviceaccount-shop.yaml" in dict(rendered_files(made, now, Source(now, tmp_path)))
    assert "serviceaccount-shop.yaml" not in dict(rendered_files(not_made, now, Source(now, tmp_path)))


def test_what_is_written_out_is_never_named_after_a_release(tmp_path: Path) -> None:
    settings = settings_of(rollout={"strategy": "blue-green"})
    target = own()
    files = rendered_files(release_of(settings), target, Source(target, tmp_path))
    assert [name for name, _ in files] == ["serviceaccount-shop.yaml", "deployment-shop.yaml", "service-shop.yaml"]


def test_what_kubernetes_cannot_do_is_not_written_out(tmp_path: Path) -> None:
    target = own()
    with pytest.raises(ConfigError) as caught:
        rendered_files(release_of(settings_of(scale={"min": 0}), number=0), target, Source(target, tmp_path))
    assert "scale.min" in caught.value.details[0]


def test_what_was_released_is_written_out_whatever_is_refused_by_now(tmp_path: Path) -> None:
    target = own()
    assert rendered_files(release_of(settings_of(scale={"min": 0})), target, Source(target, tmp_path))


def test_how_a_service_is_asked_is_in_no_manifest(tmp_path: Path) -> None:
    target = own()
    request = {"name": "a", "path": "/", "headers": {"Authorization": "Bearer t"}, "expect": {"status": 200}}
    asked = release_of(settings_of(smoke={"requests": [request]}), number=0)
    assert rendered_files(asked, target, Source(target, tmp_path))


@pytest.mark.parametrize(
    ("live", "moves"),
    [
        ([{"name": "http", "port": 80}], False),
        ([{"name": "http", "port": 8080}], True),
        ([{"name": "metrics", "port": 8080}], False),
        ([{"name": "http", "port": 8080}, {"name": "metrics", "port": 80}], True),
        ([{"port": 80}], False),
        ([{"port": 8080}], True),
        ([], False),
    ],
)
def test_a_port_that_has_another_number_under_its_name_was_moved(live: list[dict[str, object]], moves: bool) -> None:
    """An apply tells ports apart by their numbers, and would leave two of one name, or one without."""
    wanted = {"kind": "Service", "spec": {"ports": ports_of(80)}}
    assert moves_a_port(wanted, {"kind": "Service", "spec": {"ports": live}}) is moves
