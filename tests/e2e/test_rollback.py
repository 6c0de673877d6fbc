"""Back in one command: from an empty directory, with everything of then, without a failed request."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Host, docker
from tests.e2e.machine import Ended
from tests.e2e.projects import QUICK, write_service
from tests.rig import load

pytestmark = pytest.mark.e2e


class Shop:
    """A service in two versions, each with a configuration and a secret of its own."""

    def __init__(self, host: Host, folder: Path, empty: Path) -> None:
        self.host, self.folder, self.empty = host, folder, empty
        empty.mkdir()

    def release(self, version: str, *, level: str = "", secret: str = "", **settings: Any) -> Ended:
        run: dict[str, Any] = {"env": {"SHOP_LEVEL": level or version}}
        if secret:
            run["secrets"] = {"TOKEN": "env:TOKEN"}
        write_service(self.folder, version=version, settings=self.host.settings(run=run, **QUICK, **settings))
        return self.host.release(self.folder, env={"TOKEN": secret} if secret else None)

    def broken(self, version: str, subnet: str, **settings: Any) -> Ended:
        """One that works everywhere but on the target."""
        settings = self.host.settings(health={"startup": "2s"}, **QUICK, **settings)
        write_service(self.folder, version=version, behaviour="network-refused", network=subnet, settings=settings)
        return self.host.release(self.folder)

    def shipper(self, *words: str, machine: bool = True) -> Ended:
        """A command from an empty directory, by the service's name alone."""
        return self.host.run(*words, "--service", "shop", *(["--json"] if machine else []), cwd=self.empty)

    @property
    def serves(self) -> tuple[str, str]:
        """Version and level, as a user of the service sees them."""
        return self.host.ask().json["version"], self.host.ask("/env?name=SHOP_LEVEL").json["value"]


@pytest.fixture
def shop(host: Host, tmp_path: Path) -> Shop:
    return Shop(host, tmp_path / "shop", tmp_path / "empty")


def test_from_an_empty_directory_everything_of_then_comes_back_and_no_request_fails(shop: Shop) -> None:
    first = shop.release("1", level="low", secret="short")
    assert first.code == 0, first
    second = shop.release("2", level="high", secret="much-longer")
    assert second.code == 0, second
    assert second.finished["rollback"].startswith("ready -> #1 (")
    assert second.finished["rollback"].endswith("about 3 s, warm")
    shown = shop.shipper("rollback", "--dry-run", machine=False)
    assert shown.code == 0, shown
    assert "to #1 (" in shown.stdout
    assert "run.env.SHOP_LEVEL: high -> low" in shown.stdout
    assert shop.serves == ("2", "high")
    with load.start(shop.host.port, rate=200, seconds=60, timeout=10) as running:
        back = shop.shipper("rollback", "--reason", "2 is slow")
        result = running.stop()
    assert back.code == 0, back
    assert shop.serves == ("1", "low")
    assert shop.host.ask("/secret?name=TOKEN").json == {"length": len("short")}
    serves = back.finished["serves"]
    assert (serves["number"], serves["rollback_to"], serves["proof"]) == (3, 1, "identity")
    assert shop.host.ask().revision == first.finished["serves"]["revision"] == serves["revision"]
    assert result.failed == 0, result

    before = _cpu_of_children()
    forth = shop.shipper("rollback", "--to", "#2")
    back = shop.shipper("rollback", "--to", "#1")
    assert (forth.code, back.code, shop.serves) == (0, 0, ("1", "low")), (forth, back)
    own = (_cpu_of_children() - before) / 2
    assert own < 2.0, own  # of the 3 s that a warm one may take; benchmarks/rollback.py has the wall times

    status = shop.shipper("status", machine=False)
    assert "#5 (rollback to #1)" in status.stdout, status
    history = shop.shipper("history", machine=False)
    assert "#3 (rollback to #1): 2 is slow" in history.stdout, history
    assert shop.shipper("verify").code == 0
    again = shop.release("2", level="high", secret="much-longer")
    assert again.code == 16, again
    assert "quarantined" in again.said


def test_after_five_failed_releases_the_way_back_is_the_last_verified_one(shop: Shop) -> None:
    for version in ("1", "2"):
        ended = shop.release(version)
        assert ended.code == 0, ended
    network = docker("network", "inspect", shop.host.namespace, "--format", "{{(index .IPAM.Config 0).Subnet}}")
    for version in ("3", "4", "5", "6", "7"):
        ended = shop.broken(version, network.strip())
        assert ended.code == 20, ended
        assert ended.finished["rollback"].startswith("ready -> #1 ("), ended
    ended = shop.shipper("rollback")
    assert ended.code == 0, ended
    assert shop.serves == ("1", "1")
    assert ended.finished["serves"]["number"] == 8
    ended = shop.shipper("rollback")
    assert ended.code == 23, ended
    assert shop.serves == ("1", "1")


def test_going_back_again_and_again_never_goes_to_and_fro(shop: Shop) -> None:
    for version in ("1", "2", "3"):
        ended = shop.release(version)
        assert ended.code == 0, ended
    served = []
    for code in (0, 0, 23):
        ended = shop.shipper("rollback")
        assert ended.code == code, ended
        served.append(shop.serves[0])
    assert served == ["2", "1", "1"]
    assert shop.shipper("rollback", "--to", "#3").code == 0
    assert shop.serves[0] == "3"


def test_a_bad_value_quarantines_that_configuration_and_not_the_image(shop: Shop) -> None:
    for level in ("good", "bad"):
        ended = shop.release("1", level=level)
        assert ended.code == 0, ended
    assert shop.shipper("rollback").code == 0
    assert shop.serves == ("1", "good")
    assert shop.release("1", level="bad").code == 16
    mended = shop.release("1", level="mended")
    assert mended.code == 0, mended
    assert shop.serves == ("1", "mended")


def test_a_ledger_that_cannot_be_used_ends_24_and_is_repaired_later(shop: Shop) -> None:
    for version in ("1", "2"):
        ended = shop.release(version)
        assert ended.code == 0, ended
    shutil.move(_ledger(shop), _ledger(shop).with_name("away"))
    _ledger(shop).write_text("no directory")
    ended = shop.shipper("rollback")
    assert ended.code == 24, ended
    assert shop.serves[0] == "1"
    _ledger(shop).unlink()
    shutil.move(_ledger(shop).with_name("away"), _ledger(shop))
    repaired = shop.shipper("status", "--repair")
    assert (repaired.code, repaired.finished["cause"]) == (0, "repaired"), repaired
    assert "#3 (rollback to #1)" in shop.shipper("status", machine=False).stdout


def test_with_ledger_and_stamp_lost_a_named_release_comes_back(shop: Shop) -> None:
    for version in ("1", "2"):
        ended = shop.release(version)
        assert ended.code == 0, ended
    shutil.rmtree(_ledger(shop))
    # The whole state of the service, as a lost volume would be; the records stay.
    forget = "cd /state/services/* && rm -rf current v*"
    docker("exec", f"{shop.host.namespace}-proxy", "bash", "-c", forget)
    refused = shop.shipper("rollback")
    assert refused.code == 23, refused
    assert "ledger and stamp are lost" in refused.said
    assert "--to #" in refused.finished["hint"]
    ended = shop.shipper("rollback", "--to", "#1")
    assert ended.code == 0, ended
    assert shop.serves[0] == "1"


def test_what_is_gone_is_23_with_the_reason(shop: Shop) -> None:
    alone = shop.release("1", secret="first")
    assert alone.code == 0, alone
    nothing = shop.shipper("rollback")
    assert nothing.code == 23, nothing
    assert "#1: it is what serves" in nothing.said
    second = shop.release("2", secret="second", rollback={"keep": "none"})
    assert second.code == 0, second
    _remove_secrets_that_nobody_uses(shop.host)
    ended = shop.shipper("rollback")
    assert ended.code == 23, ended
    assert "--secrets current" in ended.said
    assert shop.serves[0] == "2"
    docker("rmi", "-f", *_images_of(alone))
    ended = shop.shipper("rollback", "--secrets", "current")
    assert ended.code == 23, ended
    assert "image" in ended.said
    assert shop.serves[0] == "2"


def test_a_platform_named_by_url_is_all_that_another_laptop_needs_and_no_ledger(shop: Shop, tmp_path: Path) -> None:
    for version in ("1", "2"):
        ended = shop.release(version)
        assert ended.code == 0, ended
    other = Host(shop.host.shipper, shop.host.rig, tmp_path / "other", shop.host.namespace, shop.host.port)
    other.home.mkdir()
    url = f"docker://?namespace={shop.host.namespace}&port={shop.host.port}"
    shutil.rmtree(_ledger(shop))
    ended = other.run("rollback", "--service", "shop", "-t", url, "--json")
    assert ended.code == 0, ended
    assert shop.serves[0] == "1"
    assert any("the platform's own records" in event.get("text", "") for event in ended.events)
    assert ended.finished["serves"]["number"] == 3


def _cpu_of_children() -> float:
    """Seconds of processor time: unlike the wall clock's, they do not depend on who else is at work here."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ledger(shop: Shop) -> Path:
    return shop.host.home / "state" / "shipper" / "ledger"


def _images_of(ended: Ended) -> list[str]:
    return [ended.finished["serves"]["image"]]


def _remove_secrets_that_nobody_uses(host: Host) -> None:
    """Volumes with secret values of then; the engine keeps those that a container has."""
    names = docker("volume", "ls", "-q", "--filter", f"name=^{host.namespace}-").split()
    for name in names:
        if "secret" in name:
            docker("volume", "rm", name)
