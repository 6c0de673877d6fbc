"""Names on Cloud Run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
from hypothesis import given

from shipper.errors import UsageError
from shipper.targets import TargetContext
from shipper.targets.conformance import Values
from shipper_targets.cloudrun import kind
from shipper_targets.cloudrun.marks import own_release, record_annotations
from shipper_targets.cloudrun.names import names_of, revision_id, service_id, short_name
from tests.unit.cloudrun.rendering import PLACE, names, own, release_of, settings_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("service", "environment", "name"),
    [
        ("shop", "production", "shop"),
        ("shop", "dev", "shop-dev"),
        ("a" * 39, "production", "a" * 39),
        ("a" * 40, "production", "a" * 32 + "-e33cdf"),
    ],
)
def test_a_services_name(service: str, environment: str, name: str) -> None:
    assert service_id(settings_of(service, environment)) == name


@given(names, names)
def test_a_long_name_is_cut_and_stays_its_own(service: str, environment: str) -> None:
    settings = settings_of(service, environment)
    name = service_id(settings)
    assert len(name) + len("n999999") <= 46
    assert not name.endswith("-")
    others = {service_id(settings_of(service, other)) for other in ("dev", "staging", "production")}
    assert len(others) == 3


def test_a_name_may_be_given() -> None:
    found = names_of(settings_of(), own(service="legacy"))
    assert found.service == "projects/demo/locations/europe-west1/services/legacy"
    assert found.revision("legacy-1-abc") == f"{found.service}/revisions/legacy-1-abc"
    assert short_name(found.revision("legacy-1-abc")) == "legacy-1-abc"


def test_two_releases_of_the_same_content_have_two_names() -> None:
    first, second = release_of(), release_of(release_id="01M7Z6KKGHFZM5B2GX6JAAAAAA", number=8)
    assert first.fingerprint == second.fingerprint
    assert revision_id("shop", first) != revision_id("shop", second)


def test_a_copied_record_makes_no_revision_ours() -> None:
    """gcloud copies annotations to the revisions that it makes."""
    release = release_of()
    annotations = record_annotations(release)
    assert own_release("shop-dev", revision_id("shop-dev", release), annotations) == release
    assert own_release("shop-dev", "shop-dev-00009-xyz", annotations) is None
    assert own_release("shop-dev", revision_id("shop-dev", release), {}) is None
    torn = {**annotations, "shipper.dev/record": "bm9uc2Vuc2U="}
    assert own_release("shop-dev", revision_id("shop-dev", release), torn) is None


def test_an_address_names_project_and_region() -> None:
    assert kind.from_url("cloudrun://demo/europe-west1") == {"project": "demo", "region": "europe-west1"}
    given = kind.from_url("cloudrun://demo/europe-west1?transport=rest&credentials=none&cpu_boost=false&service=old")
    assert kind.settings_model.model_validate(given).model_dump(exclude_unset=True) == {
        "project": "demo",
        "region": "europe-west1",
        "transport": "rest",
        "credentials": "none",
        "cpu_boost": False,
        "service": "old",
    }


@pytest.mark.parametrize(
    "url",
    [
        "cloudrun://demo",
        "cloudrun:///europe-west1",
        "cloudrun://demo/europe-west1/extra",
        "cloudrun://demo/europe",
        "cloudrun://demo/europe-west1?project=other",
        "cloudrun://demo/europe-west1?colour=red",
        "cloudrun://demo/europe-west1?transport=carrier-pigeon",
        "cloudrun://demo/europe-west1#x",
        "docker://",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not an address of a Cloud Run target"):
        kind.from_url(url)


def test_without_googles_libraries_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else of shipper works without them."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name.startswith("google.cloud") else found(name)
    )
    with pytest.raises(UsageError, match=r"google\.cloud\.run_v2 is not installed") as raised:
        kind.connect(TargetContext(name="run", settings=settings_of(), own=PLACE, secrets=Values({})))
    assert 'pip install ".[gcp]"' in raised.value.hint


def test_connecting_asks_nothing_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from shipper_targets.cloudrun import kind; kind.traits; "
        "kind.from_url('cloudrun://demo/europe-west1'); "
        "sys.exit([name for name in ('grpc', 'google.auth', 'google.cloud.run_v2', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "[]\n"), done.stderr
