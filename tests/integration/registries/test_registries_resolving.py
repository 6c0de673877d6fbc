"""What a reference means: asked of a real registry, without pulling a layer."""

from __future__ import annotations

import pytest

from shipper.errors import PublishError, UnreachableError, UsageError
from shipper.registries.resolving import resolve, split_reference
from tests.integration.images.conftest import Switch
from tests.integration.registries.conftest import free_port
from tests.integration.registries.pushed_by_hand import OCI, Pushed

pytestmark = pytest.mark.integration

ABSENT = "sha256:" + "0" * 64


@pytest.fixture
def pushed(repository: str) -> Pushed:
    return Pushed(repository)


def test_a_tag_and_a_digest_mean_the_same_image(pushed: Pushed, switch: Switch) -> None:
    manifest, config = pushed.image("linux/amd64", tag="v1")
    by_tag = resolve(f"{pushed.repository}:v1", None, switch)
    assert by_tag.reference == f"{pushed.repository}@{manifest}"
    assert (by_tag.config_digest, by_tag.platform) == (config, "linux/amd64")
    assert resolve(f"{pushed.repository}@{manifest}", "linux/amd64", switch) == by_tag
    assert resolve(f"{pushed.repository}:v1@{manifest}", None, switch) == by_tag


def test_of_an_index_the_platforms_own_image_is_taken_and_no_attestation(pushed: Pushed, switch: Switch) -> None:
    amd, _ = pushed.image("linux/amd64")
    arm, config = pushed.image("linux/arm64")
    attestation, _ = pushed.image("unknown/unknown", note="provenance")
    entries = [pushed.entry(amd, "linux/amd64"), pushed.entry(arm, "linux/arm64/v8")]
    index = pushed.index([*entries, pushed.entry(attestation, "unknown/unknown")], "both")
    found = resolve(f"{pushed.repository}@{index}", "linux/arm64", switch)
    assert (found.manifest_digest, found.config_digest) == (arm, config)
    with pytest.raises(UsageError, match=r"more than one platform; there are: linux/amd64, linux/arm64"):
        resolve(f"{pushed.repository}:both", None, switch)
    with pytest.raises(UsageError, match="none for linux/s390x"):
        resolve(f"{pushed.repository}:both", "linux/s390x", switch)
    pushed.index([entries[0], pushed.entry(attestation, "unknown/unknown")], "one")
    assert resolve(f"{pushed.repository}:one", None, switch).manifest_digest == amd


def test_an_image_for_another_platform_is_refused(pushed: Pushed, switch: Switch) -> None:
    pushed.image("linux/arm/v7", tag="v7")
    assert resolve(f"{pushed.repository}:v7", "linux/arm/v7", switch).platform == "linux/arm/v7"
    with pytest.raises(UsageError, match="is for linux/arm/v7, not for linux/amd64"):
        resolve(f"{pushed.repository}:v7", "linux/amd64", switch)


@pytest.mark.parametrize("name", [":nothing", f"@{ABSENT}"])
def test_an_image_that_is_not_there_is_refused(name: str, pushed: Pushed, switch: Switch) -> None:
    pushed.image("linux/amd64", tag="v1")
    with pytest.raises(UsageError, match="there is no image"):
        resolve(f"{pushed.repository}{name}", None, switch)


def test_what_is_no_image_is_refused(pushed: Pushed, switch: Switch) -> None:
    described = {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": pushed.blob(b"{}"), "size": 2}
    pushed.manifest({"config": described, "layers": []}, f"{OCI}.manifest.v1+json", "chart")
    with pytest.raises(PublishError, match="holds no image"):
        resolve(f"{pushed.repository}:chart", None, switch)


def test_a_registry_that_does_not_answer_is_unreachable(switch: Switch) -> None:
    with pytest.raises(UnreachableError):
        resolve(f"127.0.0.1:{free_port()}/team/shop:v1", None, switch)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("nginx", ("nginx", "latest")),
        ("127.0.0.1:5000/shop", ("127.0.0.1:5000/shop", "latest")),
        ("127.0.0.1:5000/shop:v1", ("127.0.0.1:5000/shop", "v1")),
        (f"example.com/a/b:v1@{ABSENT}", ("example.com/a/b", ABSENT)),
    ],
)
def test_a_reference_is_a_repository_and_a_name_in_it(reference: str, parts: tuple[str, str]) -> None:
    assert split_reference(reference) == parts
