"""URLs of ledgers: which are, which are not, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.errors import LedgerError, ShipperError, UsageError
from shipper.ledger.log import StoredLedger
from shipper.ledger.opening import default_url, open_ledger
from shipper.ledger.protocol import Ledger
from tests.unit.ledger.ledger_making import DIGEST, write

pytestmark = pytest.mark.unit

KEYS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "topsecret", "AWS_REGION": "eu-central-1"}
PLACE = {"service": "iris", "environment": "dev", "target": "docker"}


def opened(url: str | None, environ: dict[str, str] | None = None, **place: str) -> StoredLedger:
    return open_ledger(url, **{**PLACE, **place}, environ=environ or {})


def test_without_a_url_it_is_in_the_users_own_state_directory(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    assert default_url(environ) == f"file://{tmp_path}/shipper/ledger"
    assert opened(None, environ).url == default_url(environ)
    assert list(tmp_path.iterdir()) == []  # opening makes nothing


@pytest.mark.parametrize(
    ("url", "environ", "shown", "machine_only"),
    [
        ("file:///srv/shipper/", {}, "file:///srv/shipper", True),
        ("file://localhost/srv/a%20b", {}, "file:///srv/a%20b", True),
        ("memory://name", {}, "memory://name", True),
        ("s3://bucket", KEYS, "s3://bucket", False),
        ("s3://bucket/team/ledger/", KEYS, "s3://bucket/team/ledger", False),
        ("gs://bucket/x", {"GOOGLE_BEARER_TOKEN": "t"}, "gs://bucket/x", False),
        ("az://box/x", {"AZURE_STORAGE_ACCOUNT_NAME": "acc", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}, "az://box/x", False),
    ],
)
def test_what_can_be_opened(url: str, environ: dict[str, str], shown: str, machine_only: bool) -> None:
    ledger = opened(url, environ)
    assert isinstance(ledger, Ledger)
    assert (ledger.url, ledger.machine_only) == (shown, machine_only)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/srv/shipper", "is no kind of ledger"),
        ("ftp://host/x", "is no kind of ledger"),
        ("https://bucket.example.com/x", "is no kind of ledger"),
        ("file://relative/path", "is not an absolute path"),
        ("file:relative", "is not an absolute path"),
        ("s3:///prefix", "names no bucket"),
        ("s3://buc ket/x", "names no bucket"),
        ("s3://bucket/a/../b", "prefix"),
        ("s3://bucket/a b", "prefix"),
        ("s3://bucket/a//b", "prefix"),
        ("s3://[bucket", "is not a URL"),
    ],
)
def test_what_cannot_is_a_usage_error_with_an_example(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        opened(url, KEYS)
    assert caught.value.code == 2
    assert caught.value.hint


@pytest.mark.parametrize("url", ["s3://AKIA:hunter2@bucket/x", "s3://bucket/x?secret=hunter2", "s3://bucket/x#hunter2"])
def test_credentials_in_a_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        opened(url, KEYS)
    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("name", ["../etc", "a/b", "", "-x", "x" * 101, "ä"])
def test_a_name_that_no_object_can_carry_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be part of a ledger's path"):
        opened("memory://x", target=name)


@pytest.mark.parametrize(
    ("url", "environ", "words"),
    [
        ("az://box", {}, "no storage account is named"),
        ("gs://bucket", {"GOOGLE_SERVICE_ACCOUNT_PATH": "/nowhere.json"}, "no credentials for it were found"),
        ("s3://bucket", {**KEYS, "AWS_CA_BUNDLE": "/nowhere.pem"}, "AWS_CA_BUNDLE names /nowhere.pem: no such file"),
        ("s3://bucket", {"AWS_PROFILE": "work"}, "reading profiles needs boto3"),
    ],
)
def test_settings_that_lead_nowhere_say_which(url: str, environ: dict[str, str], words: str) -> None:
    if "boto3" in words and _has_boto3():
        pytest.skip("boto3 is installed")
    with pytest.raises(LedgerError) as caught:
        opened(url, environ)
    assert words in caught.value.message
    assert caught.value.hint


def test_one_memory_is_one_ledger_for_the_whole_process() -> None:
    write(opened("memory://shared-by-two"), 2)
    assert opened("memory://shared-by-two").state().highest == 2
    assert opened("memory://another").state().highest == 0
    assert opened("memory://shared-by-two", environment="production").state().highest == 0


def test_evidence_belongs_to_the_image_and_not_to_the_service() -> None:
    opened("memory://images").put_evidence(DIGEST, {"scan": "clean"})
    assert opened("memory://images", environment="production").evidence(DIGEST) == {"scan": "clean"}


def test_what_is_no_digest_has_no_evidence() -> None:
    with pytest.raises(ShipperError, match="is not a config digest"):
        opened("memory://images").evidence("iris:latest")


def _has_boto3() -> bool:
    import importlib.util

    return importlib.util.find_spec("boto3") is not None
