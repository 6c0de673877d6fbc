"""The pure parts of the rig's nodes: back-off, references, quantities, log queries, conditions, rules."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.rig.kubernetes.nodes.behaviours import LABEL, Behaviours
from tests.rig.kubernetes.nodes.casting import Casting
from tests.rig.kubernetes.pods import references, security, statuses
from tests.rig.kubernetes.pods.backoff import BackOff
from tests.rig.kubernetes.pods.environment import expand
from tests.rig.kubernetes.pods.log_lines import Line, select
from tests.rig.kubernetes.pods.quantities import quantity
from tests.rig.kubernetes.pods.runtime import LogQuery, Trouble
from tests.rig.kubernetes.pods.scripted import Behaviour, Scripted, from_label
from tests.rig.kubernetes.pods.statuses import Seen

pytestmark = pytest.mark.unit


def pod(**labels: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": "shop-1", "uid": "u", "labels": labels}, "spec": {}}


def test_the_first_failure_is_tried_again_at_once_and_then_ever_later() -> None:
    backoff = BackOff(lambda: 1.0)
    assert [backoff.failed() for _ in range(7)] == [0, 10, 20, 40, 80, 160, 300]


def test_a_container_that_ran_long_starts_from_the_beginning() -> None:
    backoff = BackOff(lambda: 0.5)
    assert [backoff.failed(), backoff.failed(), backoff.failed(ran=301)] == [0, 5, 0]


@pytest.mark.parametrize("text", ["", "shop/UPPER", "shop:", "shop@sha256:12", "a b", "registry.test/shop:not/valid"])
def test_what_is_no_reference_is_an_invalid_image_name(text: str) -> None:
    with pytest.raises(Trouble) as trouble:
        references.parse(text)
    assert trouble.value.reason == "InvalidImageName"
    assert trouble.value.message.endswith("invalid reference format")


def test_references_have_a_host_and_a_policy() -> None:
    assert references.parse("127.0.0.1:5000/team/shop:1").host == "127.0.0.1:5000"
    assert references.parse("python:3.11-slim").host == ""
    assert references.parse("shop").policy == "Always"
    assert references.parse("shop:1").policy == references.parse(f"shop@sha256:{'0' * 64}").policy == "IfNotPresent"


def test_quantities() -> None:
    found = [float(quantity(text)) for text in ("500m", "2", "1.5", "1Ki", "2k")]
    assert found == [0.5, 2.0, 1.5, 1024.0, 2000.0]
    with pytest.raises(ValueError, match="no quantity"):
        quantity("1 GB")


def test_names_are_expanded_as_the_kubelet_does_it() -> None:
    assert expand("$(A)/$(MISSING)/$$(A)", {"A": "one"}) == "one/$(MISSING)/$(A)"


def test_logs_by_tail_age_and_size() -> None:
    now = time.time()
    lines = [Line(now - 100, "old"), Line(now - 5, "new"), Line(now, "newest")]
    assert b"".join(select(lines, LogQuery(since=10))) == b"new\nnewest\n"
    assert b"".join(select(lines, LogQuery(tail=1))) == b"newest\n"
    assert b"".join(select(lines, LogQuery(tail=0))) == b""
    assert b"".join(select(lines, LogQuery(limit=5))) == b"old\nn"
    assert b"Z newest" in b"".join(select(lines, LogQuery(timestamps=True)))


def test_a_container_that_is_not_ready_makes_the_pod_unready_by_name() -> None:
    seen = [Seen("app", "shop:1", {"running": {}}, ready=False), Seen("side", "side:1", {"running": {}}, ready=True)]
    found = {one["type"]: one for one in statuses.conditions({}, "Running", "10.0.0.1", [], seen)}
    assert (found["Ready"]["status"], found["Ready"]["reason"]) == ("False", "ContainersNotReady")
    assert found["Ready"]["message"] == "containers with unready status: [app]"
    assert found["Initialized"]["status"] == "True"


def test_a_conditions_time_stays_while_its_status_does() -> None:
    before = {"Ready": {"status": "False", "lastTransitionTime": "2020-01-01T00:00:00Z"}}
    seen = [Seen("app", "shop:1", {"running": {}})]
    found = {one["type"]: one for one in statuses.conditions(before, "Running", "10.0.0.1", [], seen)}
    assert found["Ready"]["lastTransitionTime"] == "2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("policy", "codes", "phase"),
    [
        ("Never", [0], "Succeeded"),
        ("Never", [0, 3], "Failed"),
        ("OnFailure", [3], "Running"),
        ("OnFailure", [0], "Succeeded"),
        ("Always", [0], "Running"),
    ],
)
def test_the_phase_of_what_has_ended(policy: str, codes: list[int], phase: str) -> None:
    seen = [Seen("app", "shop:1", {"terminated": {"exitCode": code}}) for code in codes]
    assert statuses.phase(policy, [], seen) == phase


def test_the_phase_while_an_init_container_runs() -> None:
    main = [Seen("app", "shop:1", {"waiting": {"reason": "PodInitializing"}})]
    assert statuses.phase("Always", [Seen("init", "init:1", {"running": {}})], main) == "Pending"
    failed = [Seen("init", "init:1", {"terminated": {"exitCode": 1}})]
    assert statuses.phase("Never", failed, main) == "Failed"
    assert statuses.phase("Always", failed, main) == "Pending"


@pytest.mark.parametrize(
    ("context", "image_user", "said"),
    [
        ({"runAsNonRoot": True}, "", "image will run as root"),
        ({"runAsNonRoot": True}, "0:0", "image will run as root"),
        ({"runAsNonRoot": True}, "app", "non-numeric user (app)"),
        ({"runAsNonRoot": True, "runAsUser": 0}, "1000", "runAsUser breaks non-root policy"),
    ],
)
def test_run_as_non_root_is_verified(context: dict[str, Any], image_user: str, said: str) -> None:
    with pytest.raises(Trouble, match="root") as trouble:
        security.verify_non_root(pod(), {"name": "app", "securityContext": context}, image_user)
    assert said in trouble.value.message


def test_a_user_by_number_is_not_root() -> None:
    security.verify_non_root(pod(), {"name": "app", "securityContext": {"runAsNonRoot": True}}, "1000:1000")
    security.verify_non_root(pod(), {"name": "app", "securityContext": {"runAsNonRoot": True, "runAsUser": 7}}, "")


def test_the_newest_rule_that_fits_wins_and_outlives_the_process(tmp_path: Path) -> None:
    rules = Behaviours(tmp_path / "rules.json")
    container = {"name": "app", "image": "registry.test/shop:2"}
    assert rules.choose(pod(), container) is None
    rules.behave({"image": "registry.test/"}, {"kind": "good"})
    rules.behave({"image": "registry.test/shop", "namespace": "shop", "tag": "2"}, {"kind": "crash", "code": 3})
    assert Behaviours(tmp_path / "rules.json").choose(pod(), container) == Behaviour("crash", code=3)
    assert rules.forget({"namespace": "shop"}) == 1
    assert rules.choose(pod(), container) == Behaviour("good")


def test_a_pods_own_label_says_the_same(tmp_path: Path) -> None:
    rules = Behaviours(tmp_path / "rules.json")
    assert rules.choose(pod(**{LABEL: "slow-3"}), {"name": "app", "image": "a:1"}) == Behaviour("slow", seconds=3)
    assert from_label("exit") == Behaviour("exit", code=0)
    assert from_label("exit-7") == Behaviour("exit", code=7)
    with pytest.raises(ValueError, match="no behaviour"):
        from_label("explode")


def test_without_an_engine_what_has_no_script_is_played_as_good(tmp_path: Path) -> None:
    container = {"name": "app", "image": "a:1"}
    runtime, dressed = Casting(Behaviours(tmp_path / "rules.json"), None).choose(pod(), container)
    assert isinstance(runtime, Scripted)
    assert dressed == container
    assert runtime.pull("a:1", "IfNotPresent", lambda: None).id.startswith("a@sha256:")


def test_a_script_that_is_not_ready_needs_a_probe_to_fail(tmp_path: Path) -> None:
    rules = Behaviours(tmp_path / "rules.json")
    rules.behave({}, {"kind": "notready"})
    _, dressed = Casting(rules, None).choose(pod(), {"name": "app", "image": "a:1"})
    assert "readinessProbe" in dressed


def test_a_behaviour_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no behaviour"):
        Behaviours(tmp_path / "rules.json").behave({}, {"kind": "explode"})
