"""A candidate on a real engine: what it does, and what a reader is told about it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest

from shipper.errors import ConfigError, Interrupted, SmokeError, UnreachableError
from shipper.model import Expectation, GoldenRequest, Image, Smoke
from shipper.smoke.candidates import DockerCandidates
from shipper.smoke.owner import OWNER_LABEL

if TYPE_CHECKING:
    from tests.integration.smoke.conftest import Bench

pytestmark = pytest.mark.integration

PREDICT = GoldenRequest(
    name="predict",
    path="/predict",
    expect=Expectation(
        json_={"prediction": [0], "probability": [0.97, 0.02, 0.01]}, headers={"Content-Type": "application/json"}
    ),
)
NONSENSE = GoldenRequest(name="nonsense", method="POST", path="/predict", body="nonsense", bad=True)

NEEDS_READY = {"startup": 1, "json": {"status": "READY"}}


def ids(smoke: Smoke) -> list[str]:
    return [finding.id for finding in smoke.findings]


def test_a_good_candidate_passes_with_its_measurements(bench: Bench) -> None:
    smoke = bench.try_out("well", PREDICT, NONSENSE)
    assert smoke.status == "passed", smoke
    assert smoke.findings == ()
    assert smoke.subject == bench.image.config_digest
    assert [(probe.name, probe.status) for probe in smoke.probes] == [("predict", 200), ("nonsense", 422)]
    assert smoke.started_in is not None
    assert 0 < smoke.started_in < 20
    assert smoke.stopped_in is not None
    assert smoke.stopped_in < 5
    assert smoke.peak_memory is not None
    assert smoke.peak_memory > 1_000_000
    assert Path(smoke.log_path).read_text().startswith("behaving: well")


def test_a_slow_start_is_waited_for_and_measured(bench: Bench) -> None:
    smoke = bench.try_out("slow-start")
    assert smoke.status == "passed", smoke
    assert smoke.started_in is not None
    assert smoke.started_in > 1.4


@pytest.mark.parametrize(
    ("behave", "cause", "words", "settings"),
    [
        ("crash", "crashed", ["exit 1", "no module a_module_that_is_not_there"], {}),
        ("ends", "crashed", ["exit 0", "must keep running"], {}),
        ("never-listens", "not-ready", ["listens on no port", "of CPU"], {"health": {"startup": 2}}),
        ("500", "bad-status", ["/healthz answers 500"], {"health": {"startup": 2}}),
        ("slow-start", "not-ready", ["/healthz answers 503"], {"health": {"startup": 1}}),
        ("setup-failed", "bad-answer", ["READY", "SETUP_FAILED"], {"health": NEEDS_READY}),
        ("wrong-port", "wrong-port", ["0.0.0.0:5000", "not on port 8080"], {}),
        ("loopback", "loopback", ["127.0.0.1:8080 only"], {}),
        ("out-of-memory", "out-of-memory", ["limit of 64.0 MB"], {"memory": "64MB"}),
        ("worker-out-of-memory", "out-of-memory", ["limit of 64.0 MB", "a process was killed"], {"memory": "64MB"}),
        ("well", "crashed", ["could not start", "nope"], {"command": ["nope"], "init": False}),
        ("well", "crashed", ["nope is not in the image"], {"command": ["nope"]}),
        ("well", "crashed", ["no user bob"], {"user": "bob"}),
        ("well", "wrong-architecture", ["another architecture"], {"command": ["/app/foreign"]}),
        ("well", "wrong-architecture", ["another architecture"], {"command": ["/app/foreign"], "init": False}),
    ],
)  # fmt: skip
def test_a_broken_candidate_fails_with_the_cause(
    bench: Bench, behave: str, cause: str, words: list[str], settings: dict[str, Any]
) -> None:
    smoke = bench.try_out(behave, PREDICT, **settings)
    assert (smoke.status, ids(smoke)[0]) == ("failed", cause), smoke
    for word in words:
        assert word in smoke.reason
    assert smoke.findings[0].fix
    assert len(smoke.reason) <= 100
    if settings.get("command") is None and behave != "well":
        assert f"behaving: {behave}" in smoke.log_tail  # stdout and stderr come in no order


def test_what_can_never_heal_is_not_waited_for(bench: Bench) -> None:
    begun = time.monotonic()
    assert ids(bench.try_out("loopback", health={"startup": 600})) == ["loopback"]
    assert ids(bench.try_out("wrong-port", health={"startup": 600})) == ["wrong-port"]
    assert time.monotonic() - begun < 60


def test_an_image_whose_label_lies_about_its_platform_is_refused(bench: Bench) -> None:
    other = "linux/amd64" if bench.image.platform == "linux/arm64" else "linux/arm64"
    smoke = bench.try_out("well", image=bench.image.model_copy(update={"platform": other}))
    assert ids(smoke) == ["wrong-architecture"]
    assert f"the image says {other}" in smoke.reason


def test_every_wrong_answer_is_told(bench: Bench) -> None:
    wrong = GoldenRequest(name="wrong", path="/predict", expect=Expectation(json_={"prediction": [1]}))
    missing = GoldenRequest(name="missing", path="/nowhere")
    redirected = GoldenRequest(name="redirected", path="/elsewhere")
    smoke = bench.try_out("careless", wrong, missing, NONSENSE, redirected, PREDICT)
    assert smoke.status == "failed"
    assert ids(smoke) == ["bad-answer", "bad-status", "bad-status", "bad-status"]
    assert [finding.title for finding in smoke.findings] == [
        "wrong: $.prediction[0]: expected 1, found 0",
        "missing: answered 404, expected 2xx",
        "nonsense: answered 500 to a bad request, expected 4xx",
        "redirected: answered 302, expected 2xx",
    ]
    assert smoke.reason == "wrong: $.prediction[0]: expected 1, found 0 (and 3 more)"
    assert smoke.probes[-1].ok


def test_memory_that_runs_out_while_it_is_asked_is_seen_although_it_stays_up(bench: Bench) -> None:
    smoke = bench.try_out("well", GoldenRequest(name="eat", path="/eat"), PREDICT, memory="64MB")
    assert (smoke.status, ids(smoke)[0]) == ("failed", "out-of-memory"), smoke
    assert smoke.reason.startswith("was ready, then ran out of memory")


def test_a_candidate_that_dies_while_it_is_asked_has_crashed(bench: Bench) -> None:
    smoke = bench.try_out("well", GoldenRequest(name="die", path="/die"), PREDICT)
    assert (smoke.status, ids(smoke)) == ("failed", ["crashed", "bad-answer"]), smoke
    assert "exit 3" in smoke.reason
    assert [probe.name for probe in smoke.probes] == ["die"]


def test_remarks_do_not_fail_a_candidate(bench: Bench) -> None:
    smoke = bench.try_out("traceback", user="0:0")
    assert (smoke.status, ids(smoke)) == ("passed", ["runs-as-root", "traceback"])


def test_a_service_that_ignores_sigterm_is_told_and_ended(bench: Bench) -> None:
    smoke = bench.try_out("deaf", PREDICT, stop_grace=1)
    assert (smoke.status, ids(smoke)) == ("passed", ["stop-ignored"])
    assert smoke.stopped_in is None
    assert "killed after 1.0 s" in smoke.findings[0].title


def test_secrets_are_private_files_and_never_in_the_evidence(bench: Bench) -> None:
    read = GoldenRequest(name="read", path="/secret", expect=Expectation(json_={"mode": "600", "key": "another"}))
    smoke = bench.try_out("well", read, secrets={"API_KEY": b"s3cr3t-value"})
    assert ids(smoke) == ["bad-answer"]
    assert "the key is ***" in Path(smoke.log_path).read_text()
    assert "s3cr3t" not in smoke.model_dump_json()
    assert "s3cr3t" not in Path(smoke.log_path).read_text()
    assert smoke.findings[0].title == 'read: $.key: expected "another", found "***"'


def test_a_read_only_root_still_has_a_tmp(bench: Bench) -> None:
    write = GoldenRequest(name="write", path="/write", expect=Expectation(json_={"root": "Read-only file system"}))
    assert bench.try_out("well", write, read_only=True).status == "passed"


@pytest.mark.parametrize("step", ["creating", "starting", "asking", "stopping"])
def test_an_interrupt_removes_the_candidate_within_two_seconds(bench: Bench, step: str) -> None:
    thrown: list[float] = []

    def throw(text: str) -> None:
        if text.startswith(step) and not thrown:
            thrown.append(time.monotonic())
            threading.Thread(target=bench.switch.throw).start()

    bench.told.when = throw
    behave = {"starting": "never-listens", "stopping": "deaf"}.get(step, "well")
    hang = GoldenRequest(name="hang", path="/hang" if step == "asking" else "/predict", timeout=60)
    with pytest.raises(Interrupted):
        bench.try_out(behave, hang, stop_grace=60, secrets={"API_KEY": b"s3cr3t-value"})
    assert bench.left_behind() == []
    assert time.monotonic() - thrown[0] < 2


def test_what_a_killed_run_left_behind_is_swept_by_the_next_one(bench: Bench) -> None:
    place, _, _ = _owner_of_this_process().rpartition("/")
    dead = {OWNER_LABEL: f"{place}/999999999@1"}
    orphan = bench.client.containers.create(bench.image.engine_id, ["true"], labels=dead)
    volume = bench.client.volumes.create(labels=dead)
    bench.try_out("well")
    assert orphan.id not in [found.id for found in bench.client.containers.list(all=True)]
    assert volume.id not in [found.id for found in bench.client.volumes.list()]
    assert any("killed" in remark for remark in bench.told.remarks)


def test_a_candidate_of_a_run_that_lives_is_left_alone(bench: Bench) -> None:
    living = bench.client.containers.create(
        bench.image.engine_id, ["true"], labels={OWNER_LABEL: _owner_of_this_process()}
    )
    try:
        bench.try_out("well")
        assert bench.client.containers.get(str(living.id)).status == "created"
    finally:
        living.remove(force=True)


def test_an_image_that_is_gone_is_a_failure_of_the_test_and_not_of_the_image(bench: Bench) -> None:
    gone = bench.image.model_copy(update={"engine_id": "sha256:" + "0" * 64})
    with pytest.raises(SmokeError, match="no longer on the engine"):
        bench.try_out("well", image=gone)


def test_what_the_engine_refuses_is_told_in_its_own_words(bench: Bench) -> None:
    with pytest.raises(SmokeError) as refused:
        bench.try_out("well", memory=4096)
    assert "memory" in refused.value.details[0]


def test_what_has_a_gpu_in_production_is_tried_without_it_where_that_is_said(bench: Bench) -> None:
    smoke = bench.try_out("well", gpu=1, gpus_left=0)
    assert (smoke.status, ids(smoke)) == ("passed", ["without-gpu"]), smoke
    assert smoke.reason.endswith("without its GPU")


def test_a_volume_that_is_not_there_is_a_configuration_error(bench: Bench) -> None:
    with pytest.raises(ConfigError, match=r"models/iris\.onnx is not there"):
        bench.try_out("well", volumes=[{"source": "models/iris.onnx", "target": "/models/iris.onnx"}])


def test_an_engine_that_does_not_answer_is_unreachable(misbehaving: Image, bench: Bench) -> None:
    nobody = docker.DockerClient(base_url="tcp://127.0.0.1:1", version="1.41")
    bench.candidates = DockerCandidates(nobody, bench.folder)
    with pytest.raises(UnreachableError):
        bench.try_out("well", image=misbehaving)


def test_a_remote_engine_is_refused_because_its_ports_are_not_ours(bench: Bench) -> None:
    remote = docker.DockerClient(base_url="tcp://192.0.2.1:2375", version="1.41")
    bench.candidates = DockerCandidates(remote, bench.folder)
    with pytest.raises(SmokeError, match="remote Docker engine"):
        bench.try_out("well")


def test_the_world_names_the_engine(bench: Bench) -> None:
    assert bench.client.info()["ServerVersion"] in bench.candidates.world()


def _owner_of_this_process() -> str:
    from shipper.smoke.owner import owner_labels

    return owner_labels(0, 0)[OWNER_LABEL]
