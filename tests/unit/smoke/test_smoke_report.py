"""What a reader is told about a candidate that was ready, and where its log goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.model import Dossier, Finding, Image, Probe, ScanPolicy, Smoke
from shipper.scanning.policy import judge
from shipper.smoke.keeping import keep_log
from shipper.smoke.report import failure, outcome, remarks, without_gpus
from shipper.smoke.stopping import Stopped
from shipper.targets.secret_files import owner_of

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "a" * 64
IMAGE = Image(
    config_digest=DIGEST,
    source_digest=DIGEST,
    platform="linux/amd64",
    engine_id=DIGEST,
    reference="shipper.local/iris:1",
    diff_ids=(),
    size=1,
)
ENDED = Stopped(0.2, 143)
RIGHT = Probe(name="predict", ok=True, status=200, seconds=0.01)
WRONG = Finding(id="bad-answer", title="predict: $.a: expected 1, found 2", severity="high", kind="smoke")


def ids(found: list[Finding]) -> list[str]:
    return [finding.id for finding in found]


def test_a_candidate_that_does_what_it_must_passes_with_its_numbers() -> None:
    smoke = outcome(IMAGE, [RIGHT], [], started_in=1.2, stopped=ENDED, peak_memory=29_000_000, log=["ready"])
    assert smoke.status == "passed"
    assert smoke.reason == "ready in 1.2 s, 1 of 1 requests as expected, 29.0 MB at the peak"
    assert (smoke.started_in, smoke.stopped_in, smoke.log_tail) == (1.2, 0.2, ("ready",))
    assert smoke.subject == DIGEST


def test_a_wrong_answer_fails_with_the_first_fault_and_their_number() -> None:
    smoke = outcome(IMAGE, [], [WRONG, WRONG], started_in=1, stopped=ENDED, peak_memory=None, log=[])
    assert smoke.status == "failed"
    assert smoke.reason == "predict: $.a: expected 1, found 2 (and 1 more)"


def test_remarks_are_low_and_do_not_fail() -> None:
    found = remarks(IMAGE, "linux/arm64", "", ["Traceback (most recent call last):"], Stopped(None, None), 10)
    assert ids(found) == ["runs-as-root", "traceback", "emulated", "stop-ignored"]
    assert {finding.severity for finding in found} == {"low"}
    assert outcome(IMAGE, [], found, started_in=1, stopped=ENDED, peak_memory=None, log=[]).status == "passed"


@pytest.mark.parametrize(
    ("user", "root"), [("", True), ("0", True), ("root:root", True), ("0:5", True), ("1000", False)]
)
def test_root_is_root_by_any_name(user: str, root: bool) -> None:
    assert ("runs-as-root" in ids(remarks(IMAGE, "linux/amd64", user, [], ENDED, 10))) is root


def passed() -> Smoke:
    return outcome(IMAGE, [RIGHT], [], started_in=1.2, stopped=ENDED, peak_memory=None, log=[])


def failed(reason: str) -> Smoke:
    return failure(IMAGE, Dossier(cause="crashed", reason=reason, hint="set [run] gpu = 1"))


def test_a_candidate_that_was_tried_without_its_gpu_passes_and_says_so_everywhere() -> None:
    found = without_gpus(passed(), asked=1, given=0)
    assert found.status == "passed"
    assert found.reason == "ready in 1.2 s, 1 of 1 requests as expected, without its GPU"
    assert [(one.id, one.severity) for one in found.findings] == [("without-gpu", "low")]
    told = "smoke-tested without its GPU ([smoke] gpu = 0, [run] gpu = 1)"
    assert judge([found], ScanPolicy(), "production") == ((), (told,))


@pytest.mark.parametrize(("asked", "given", "words"), [(4, 0, "without its 4 GPUs"), (4, 2, "with 2 of its 4 GPUs")])
def test_how_many_gpus_were_there(asked: int, given: int, words: str) -> None:
    assert f"smoke-tested {words} (" in without_gpus(passed(), asked=asked, given=given).remarks[0]


@pytest.mark.parametrize("gpus", [0, 2])
def test_nothing_is_said_of_gpus_that_were_there(gpus: int) -> None:
    assert without_gpus(passed(), asked=gpus, given=gpus) == passed()


@pytest.mark.parametrize(
    ("reason", "first"),
    [("crashed with exit 1: it needs a GPU and sees none", "without-gpu"), ("crashed with exit 1", "crashed")],
)
def test_a_candidate_that_misses_its_gpu_is_not_told_to_ask_for_one(reason: str, first: str) -> None:
    found = without_gpus(failed(reason), asked=1, given=0)
    assert (found.status, found.reason) == ("failed", reason)
    assert ids(list(found.findings))[0] == first
    assert sorted(ids(list(found.findings))) == ["crashed", "without-gpu"]
    assert "[smoke] gpu = 0" in found.remarks[0]


def test_a_log_is_private_and_keeps_its_end(tmp_path: Path) -> None:
    path = keep_log("x" * 2_000_000 + "the end", tmp_path / "logs", "iris-dev-1")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == 1_000_000
    assert path.read_text().endswith("the end")


def test_only_a_hundred_logs_are_kept(tmp_path: Path) -> None:
    for number in range(120):
        (tmp_path / f"20200101T000000-{number:03}.log").touch()
    newest = keep_log("new", tmp_path, "iris-dev-1")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == 100
    assert left[-1] == newest.name


PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1001:1002::/home/app:/bin/sh\nbroken\n"
GROUP = "root:x:0:\nmodels:x:2000:app\n"


@pytest.mark.parametrize(
    ("user", "owner"),
    [
        ("", (0, 0)),
        ("app", (1001, 1002)),
        ("1001", (1001, 1002)),
        ("5000", (5000, 0)),
        ("5000:6000", (5000, 6000)),
        ("app:models", (1001, 2000)),
        ("nobody-here", (0, 0)),
    ],
)
def test_secret_files_belong_to_the_containers_user(user: str, owner: tuple[int, int]) -> None:
    assert owner_of(user, PASSWD, GROUP) == owner
