"""Which certificates a request to a service is judged by, and how often they are read."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from shipper.targets.certificates import verify_for

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def no_store_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_a_plain_connection_reads_none() -> None:
    assert verify_for("http://127.0.0.1:8080", environment=True) is False


@pytest.mark.parametrize("url", ["https://shop.example", "HTTPS://shop.example/path"])
def test_an_encrypted_one_is_judged(url: str) -> None:
    store = verify_for(url, environment=True)
    assert isinstance(store, ssl.SSLContext)
    assert store.verify_mode == ssl.CERT_REQUIRED
    assert store.check_hostname


def test_the_store_is_read_once() -> None:
    one, other = (verify_for(url, environment=True) for url in ("https://one.example", "https://two.example"))
    assert one is other


def test_a_store_of_ones_own_counts_where_the_environment_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = verify_for("https://shop.example", environment=True)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    own = verify_for("https://shop.example", environment=True)
    assert isinstance(own, ssl.SSLContext)
    assert own.get_ca_certs() == []
    assert verify_for("https://shop.example", environment=False) is public


def test_a_store_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    with pytest.raises(OSError, match="No such file"):
        verify_for("https://shop.example", environment=True)
