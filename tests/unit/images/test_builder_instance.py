"""Which builder is made of which settings, and with which words buildx is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from shipper.config.builder import builder_contradictions
from shipper.errors import ConfigError
from shipper.images.builder import Instance, instance_of
from shipper.images.builder_reach import knock
from shipper.images.builder_ready import create_command
from shipper.model import ImageSettings
from shipper.model.builder import RemoteBuilder

pytestmark = pytest.mark.unit

AMD, ARM = "linux/amd64", "linux/arm64"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "KUBECONFIG": f"{tmp_path / 'one'}{os.pathsep}{tmp_path / 'two'}",
    }


def kubernetes(environ: dict[str, str], platform: str = AMD, **settings: Any) -> Instance:
    image = {"builder": "kubernetes", "kubernetes": {"context": "prod", "namespace": "builds", **settings}}
    instance = instance_of(ImageSettings.model_validate(image), Path("/srv/iris"), platform, environ)
    assert instance is not None
    return instance


def remote(root: Path = Path("/srv/iris"), **settings: Any) -> Instance:
    image = {"builder": "remote", "remote": {"address": "tcp://builds.example.com:1234", **settings}}
    instance = instance_of(ImageSettings.model_validate(image), root, AMD, {})
    assert instance is not None
    return instance


def test_the_engine_at_hand_needs_none() -> None:
    image = ImageSettings.model_validate({"remote": {"address": "tcp://h:1"}, "kubernetes": {"namespace": "n"}})

    assert instance_of(image, Path("/r"), AMD, {}) is None


@pytest.mark.parametrize("kind", ["remote", "kubernetes"])
def test_a_section_that_is_missing_is_named(kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"there is no \[image\.{kind}\]"):
        instance_of(ImageSettings.model_validate({"builder": kind}), Path("/r"), AMD, {})


def test_a_remote_builder_with_tls(tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key, with a comma.pem"):
        (tmp_path / name).write_text("")

    instance = remote(tmp_path, ca="ca.pem", cert="cert.pem", key="key, with a comma.pem")

    assert create_command(instance) == [
        *("docker", "buildx", "create", f"--name={instance.name}", f"--node={instance.name}-0", "--driver=remote"),
        f"--driver-opt=cacert={tmp_path}/ca.pem",
        f"--driver-opt=cert={tmp_path}/cert.pem",
        f'--driver-opt="key={tmp_path}/key, with a comma.pem"',
        "--driver-opt=servername=builds.example.com",
        "tcp://builds.example.com:1234",
    ]


def test_a_builder_over_ssh_has_an_address_and_nothing_else() -> None:
    assert create_command(remote(address="ssh://me@builds:2222"))[5:] == ["--driver=remote", "ssh://me@builds:2222"]


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"address": "ssh://h", "ca": "/etc/hostname"}, "ca"),
        ({"cert": "/etc/hostname", "key": "/etc/hostname"}, "cert"),
        ({"ca": "/etc/hostname", "cert": "/etc/hostname"}, "cert"),
        ({"server_name": "h"}, "server_name"),
        ({"ca": "/nowhere/ca.pem"}, "ca"),
    ],
)
def test_what_does_not_fit_together_is_named(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"image\.remote\.{key}\b"):
        remote(**settings)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "address"),
        ({"address": "tcp://10.0.0.7:1234"}, "address"),
        ({"address": "tcp://[fd00::7]:1234"}, "address"),
        ({"address": "tcp://127.example.com:1234"}, "address"),
        ({"address": "ssh://h", "insecure": True}, "insecure"),
        ({"ca": "/etc/hostname", "insecure": True}, "insecure"),
    ],
)
def test_secrets_do_not_go_over_a_network_in_the_clear(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"image\.remote\.{key}:"):
        remote(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"address": "tcp://127.0.0.1:1234"},
        {"address": "tcp://localhost:1234"},
        {"address": "tcp://[::1]:1234"},
        {"insecure": True},
        {"address": "ssh://me@builds"},
    ],
)
def test_what_stays_here_or_is_meant_so_needs_no_tls(settings: dict[str, Any]) -> None:
    assert remote(**settings).driver == "remote"


@pytest.mark.parametrize(
    "address",
    [
        "builds:1234",
        "http://h:1",
        "tcp://h",
        "tcp://h:1/x",
        "tcp://-h:1",
        "ssh://-oProxyCommand=x",
        "ssh://a:b@h",
        "ssh://h x",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        remote(address=address)


NO_HOST = [
    ({"address": "tcp://builds..example.com:1234"}, "address"),
    ({"address": f"tcp://{'a' * 64}.example.com:1234"}, "address"),
    ({"address": "tcp://[1.2.3.4]:1234"}, "address"),
    ({"address": "tcp://[1::2::3]:1234"}, "address"),
    ({"address": "tcp://h:0"}, "address"),
    ({"address": "tcp://h:65536"}, "address"),
    ({"ca": "/etc/hostname", "server_name": "builds..example.com"}, "server_name"),
]
"""What is written as an address is, and yet can be none; the key that it is told of."""


@pytest.mark.parametrize("more", [{"insecure": True}, {"ca": "/etc/hostname"}, {}])
@pytest.mark.parametrize(("settings", "key"), NO_HOST)
def test_what_no_connection_can_be_made_with_is_named(settings: dict[str, Any], key: str, more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"image\.remote\.{key}: there is no such"):
        remote(**{**more, **settings})


@pytest.mark.parametrize(("settings", "key"), NO_HOST)
def test_knocking_there_is_refused_as_well(settings: dict[str, Any], key: str) -> None:
    there = RemoteBuilder.model_validate({"address": "tcp://127.0.0.1:1", **settings, "ca": None})
    with pytest.raises(ConfigError, match=rf"image\.remote\.{key}: there is no such"):
        knock(there, Path("/r"))


@pytest.mark.parametrize(("settings", "key"), NO_HOST)
def test_the_configuration_says_it_where_it_is_written(settings: dict[str, Any], key: str) -> None:
    told = {"address": "tcp://builds.example.com:1234", **settings, "ca": "/etc/hostname"}
    image = ImageSettings.model_validate({"remote": told})
    assert [found[0] for found in builder_contradictions(image)] == [("remote", key)]


@pytest.mark.parametrize("host", ["a-.b", "builds.", "a" * 63 + ".example.com", "[::1.2.3.4]"])
def test_names_that_somebodys_network_may_have_are_left_to_it(host: str) -> None:
    assert remote(address=f"tcp://{host}:1234", insecure=True).endpoint == f"tcp://{host}:1234"


def test_every_option_of_the_cluster_is_in_the_words_of_buildx(environ: dict[str, str]) -> None:
    instance = kubernetes(
        environ,
        replicas=3,
        requests={"cpu": 0.5, "memory": "4GiB"},
        limits={"cpu": 4, "memory": "8GB"},
        rootless=True,
        node_selector={"example.com/pool": "builds"},
        tolerations=[
            {"key": "builds-only", "operator": "Equal", "value": "yes", "effect": "NoSchedule"},
            {"key": "spot", "effect": "NoExecute", "seconds": 60},
        ],
        service_account="builder",
        image="registry.example.com/moby/buildkit:v0.22.0-rootless",
        load_balance="random",
    )

    labels = f"app.kubernetes.io/managed-by=shipper,shipper.dev/builder={instance.node}"
    assert create_command(instance) == [
        *("docker", "buildx", "create", f"--name={instance.name}", f"--node={instance.node}"),
        *("--driver=kubernetes", "--platform=linux/amd64"),
        "--driver-opt=namespace=builds",
        "--driver-opt=replicas=3",
        "--driver-opt=requests.cpu=500m",
        "--driver-opt=requests.memory=4294967296",
        "--driver-opt=limits.cpu=4000m",
        "--driver-opt=limits.memory=8000000000",
        '--driver-opt="nodeselector=example.com/pool=builds,kubernetes.io/arch=amd64"',
        (
            '--driver-opt="tolerations=key=builds-only,operator=Equal,value=yes,effect=NoSchedule'
            ';key=spot,operator=Exists,effect=NoExecute,tolerationSeconds=60"'
        ),
        "--driver-opt=serviceaccount=builder",
        "--driver-opt=loadbalance=random",
        "--driver-opt=image=registry.example.com/moby/buildkit:v0.22.0-rootless",
        "--driver-opt=rootless=true",
        f'--driver-opt="labels={labels}"',
    ]


def test_what_is_not_said_is_left_to_buildx(environ: dict[str, str]) -> None:
    words = " ".join(create_command(kubernetes(environ)))

    assert not [name for name in ("requests", "limits", "tolerations", "image=", "rootless") if name in words]


def test_builds_run_on_nodes_of_the_images_platform(environ: dict[str, str]) -> None:
    theirs = {"kubernetes.io/arch": "amd64"}

    arm = kubernetes(environ, ARM, node_selector=theirs)

    assert dict(arm.options)["nodeselector"] == "kubernetes.io/arch=arm64"
    assert arm.platform == ARM
    assert arm.node != kubernetes(environ, AMD, node_selector=theirs).node


def test_the_same_settings_are_the_same_builder_and_others_another(environ: dict[str, str]) -> None:
    first = kubernetes(environ)

    assert kubernetes(environ).name == first.name
    assert kubernetes(environ, replicas=2).node != first.node
    assert kubernetes(environ, start_timeout=5.0).name == first.name


def test_a_team_shares_the_deployment_wherever_its_kubeconfigs_are(environ: dict[str, str], tmp_path: Path) -> None:
    mine = kubernetes(environ)
    hers = kubernetes({**environ, "KUBECONFIG": str(tmp_path / "hers")}, context="production")

    assert hers.node == mine.node
    assert hers.name != mine.name


def test_the_context_is_named_in_a_file_of_its_own_in_front_of_theirs(environ: dict[str, str], tmp_path: Path) -> None:
    ours, *theirs = kubernetes(environ).environment["KUBECONFIG"].split(os.pathsep)

    assert json.loads(Path(ours).read_text()) == {"apiVersion": "v1", "kind": "Config", "current-context": "prod"}
    assert theirs == [str(tmp_path / "one"), str(tmp_path / "two")]


def test_a_kubeconfig_that_is_named_is_the_only_one(environ: dict[str, str]) -> None:
    paths = kubernetes(environ, kubeconfig="deploy/kube.yaml").environment["KUBECONFIG"].split(os.pathsep)

    assert paths[1:] == ["/srv/iris/deploy/kube.yaml"]


def test_the_cluster_around_us_is_told_of_only_when_no_context_is_named(environ: dict[str, str]) -> None:
    pod = {**environ, "KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "AWS_PROFILE": "ci"}

    inside, named = kubernetes(pod, context=None), kubernetes(pod)

    assert inside.environment["KUBERNETES_SERVICE_HOST"] == "10.0.0.1"
    assert "current-context" not in Path(inside.environment["KUBECONFIG"]).read_text()
    assert "KUBERNETES_SERVICE_HOST" not in named.environment
    assert named.environment["AWS_PROFILE"] == "ci"


def test_no_context_outside_of_a_cluster_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"image\.kubernetes\.context is missing"):
        kubernetes(environ, context=None)


@pytest.mark.parametrize(
    "settings",
    [
        {"namespace": "a,b"},
        {"node_selector": {"a": "b,c=d"}},
        {"node_selector": {"a=b": "c"}},
        {"tolerations": [{"key": "a;key=b"}]},
        {"tolerations": [{"value": "a,effect=NoExecute"}]},
        {"service_account": "a,b"},
        {"image": "a,privileged=true"},
    ],
)
def test_no_value_can_become_an_option(environ: dict[str, str], settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="kubernetes"):
        kubernetes(environ, **settings)
