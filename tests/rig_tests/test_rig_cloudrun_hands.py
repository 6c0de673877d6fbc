"""The hands of the rig's Google Cloud: what a test does to a client, from another process, over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import run_v2

from tests.rig.daemons import wait_until
from tests.rig.google.clients import SOON, Calls, Transport, finished, template, to
from tests.rig.google.handle import GoogleRig, HandError
from tests.rig.google.server import Google

pytestmark = pytest.mark.unit


@pytest.fixture
def rig(google: Google) -> Iterator[GoogleRig]:
    yield GoogleRig(google.url)
    GoogleRig(google.url).wipe("demo")


@pytest.fixture(params=["grpc", "rest"])
def run(google: Google, rig: GoogleRig, request: pytest.FixtureRequest) -> Calls:
    transport: Transport = request.param
    calls = Calls(google.url, transport)
    calls.create("shop", "web-1", [to("web-1", 100)])
    return calls


def in_thread(work: Callable[[], object]) -> Future[object]:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future


def test_a_permission_taken_away_is_403_with_its_name_until_it_is_given_back(run: Calls, rig: GoogleRig) -> None:
    rig.deny("demo", "run.services.get")
    with pytest.raises(GoogleAPICallError, match=r"Permission 'run\.services\.get' denied on resource") as refused:
        run.get()
    assert refused.value.code == 403
    rig.allow("demo", "run.services.get")
    assert run.get().generation == 1


def test_deploying_takes_the_right_to_act_as_the_service_account(run: Calls, rig: GoogleRig) -> None:
    rig.deny("demo", "iam.serviceaccounts.actAs")
    with pytest.raises(GoogleAPICallError, match=r"iam\.serviceaccounts\.actAs' denied on service account") as refused:
        run.update("template", template=template("shop", "web-2"))
    assert refused.value.code == 403
    run.update("traffic", traffic=[to("web-1", 100, "a")])


def test_a_gpu_quota_is_an_error_of_the_write(run: Calls, rig: GoogleRig) -> None:
    resources = {"limits": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}, "cpu_idle": False}
    more = {"node_selector": {"accelerator": "nvidia-l4"}, "gpu_zonal_redundancy_disabled": True}
    wanted = template("llm", "web-2", container={"resources": resources}, scaling={"max_instance_count": 2}, **more)
    rig.gpus("demo", 1)
    with pytest.raises(GoogleAPICallError, match="quota for using GPUs without zonal redundancy") as refused:
        run.update("template", template=wanted)
    assert refused.value.code == 429
    rig.gpus("demo", 2)
    run.update("template", template=wanted)


@pytest.mark.parametrize(("code", "http"), [("UNAVAILABLE", 503), ("DEADLINE_EXCEEDED", 504), ("INTERNAL", 500)])
def test_a_call_fails_before_it_is_carried_out(run: Calls, rig: GoogleRig, code: str, http: int) -> None:
    rig.fail("demo", "UpdateService", code)
    with pytest.raises(GoogleAPICallError) as failed:
        run.update("annotations", annotations={"a": "1"})
    assert failed.value.code == http
    assert dict(run.get().annotations) == {}
    run.update("annotations", annotations={"a": "1"})


def test_a_call_fails_after_it_was_carried_out(run: Calls, rig: GoogleRig) -> None:
    rig.fail("demo", "write", "UNAVAILABLE", after=True)
    with pytest.raises(GoogleAPICallError):
        run.update("annotations", annotations={"a": "1"})
    assert dict(run.get().annotations) == {"a": "1"}


def test_another_writer_comes_between_read_and_write(run: Calls, rig: GoogleRig) -> None:
    rig.edit("demo")
    with pytest.raises(GoogleAPICallError) as stale:
        run.update("traffic", etag=run.get().etag, traffic=[to("web-1", 100, "a")])
    assert stale.value.code == 409
    run.update("traffic", etag=run.get().etag, traffic=[to("web-1", 100, "a")])


def test_another_writer_comes_before_a_later_write_or_before_every_one(run: Calls, rig: GoogleRig) -> None:
    rig.edit("demo", at=2)
    run.update("annotations", etag=run.get().etag, annotations={"a": "1"})
    with pytest.raises(GoogleAPICallError):
        run.update("annotations", etag=run.get().etag, annotations={"a": "2"})
    run.update("annotations", etag=run.get().etag, annotations={"a": "3"})
    rig.edit("demo", at=0)
    for _ in range(2):
        with pytest.raises(GoogleAPICallError):
            run.update("annotations", etag=run.get().etag, annotations={"a": "4"})


def test_another_writer_moves_the_traffic(run: Calls, rig: GoogleRig) -> None:
    run.update("template,traffic", template=template("shop", "web-2"), traffic=[to("web-2", 100)])
    rig.edit("demo", traffic={"web-1": 70, "web-2": 30})
    with pytest.raises(GoogleAPICallError):
        run.update("annotations", etag=run.get().etag, annotations={"a": "1"})
    assert [(target.revision, target.percent) for target in run.get().traffic] == [("web-1", 70), ("web-2", 30)]


def test_an_operation_never_ends_although_what_was_asked_is_done(run: Calls, rig: GoogleRig) -> None:
    rig.stuck("demo", "operation")
    operation = run.send("traffic", traffic=[to("web-1", 100, "a")])
    assert wait_until(lambda: run.routed() == [("web-1", 100, "a")], patience=10)
    assert not operation.done()
    rig.stuck("demo", "")
    assert finished(operation).traffic[0].tag == "a"


def test_nothing_settles_until_it_is_let_go(run: Calls, rig: GoogleRig) -> None:
    rig.stuck("demo", "reconcile")
    operation = run.send("traffic", traffic=[to("web-1", 100, "a")])
    with pytest.raises(TimeoutError):
        operation.result(timeout=0.2, polling=SOON)
    assert run.get().reconciling
    assert run.routed() == [("web-1", 100, "")]
    rig.stuck("demo", "")
    finished(operation)
    assert run.routed() == [("web-1", 100, "a")]


def test_a_write_is_held_before_and_never_carried_out(run: Calls, rig: GoogleRig) -> None:
    rig.hold("demo", at=2)
    run.update("annotations", annotations={"a": "1"})
    late = in_thread(lambda: run.send("annotations", annotations={"a": "2"}))
    write = rig.held("demo")
    assert write is not None
    assert (write["number"], write["method"], write["mask"], write["code"]) == (3, "UpdateService", ["annotations"], "")
    assert dict(run.get().annotations) == {"a": "1"}
    rig.release("demo", carry=False)
    assert isinstance(late.exception(10), Exception)
    assert dict(run.get().annotations) == {"a": "1"}
    assert rig.writes("demo")[-1]["code"] == "CANCELLED"


def test_a_write_is_held_after_it_was_carried_out(run: Calls, rig: GoogleRig) -> None:
    rig.hold("demo", after=True)
    late = in_thread(lambda: run.send("annotations", annotations={"a": "2"}))
    assert rig.held("demo") is not None
    assert dict(run.get().annotations) == {"a": "2"}
    assert not late.done()
    rig.release("demo")
    assert late.exception(10) is None


def test_waiting_for_a_write_that_never_comes_gives_nothing(run: Calls, rig: GoogleRig) -> None:
    rig.hold("demo")
    assert rig.held("demo", seconds=0.05) is None


def test_writes_are_told_with_how_they_ended_and_reads_and_dry_runs_are_none(run: Calls, rig: GoogleRig) -> None:
    run.get()
    request = run_v2.UpdateServiceRequest(
        service=run_v2.Service(name=run.name, template=template("shop", "web-5")), validate_only=True
    )
    finished(run.services.update_service(request))
    with pytest.raises(GoogleAPICallError):
        run.update("traffic", etag='"0"', traffic=[to("web-1", 100)])
    told = [(write["number"], write["method"], write["code"], write["etag"]) for write in rig.writes("demo")]
    assert told == [(1, "CreateService", "OK", ""), (2, "UpdateService", "ABORTED", '"0"')]
    assert rig.calls("demo")["UpdateService"] == 2


def test_a_slow_method_takes_its_time(run: Calls, rig: GoogleRig) -> None:
    rig.slow("demo", "GetService", 0.2)
    before = time.monotonic()
    run.get()
    assert time.monotonic() - before >= 0.2


def test_projects_do_not_see_each_other_s_hands(run: Calls, rig: GoogleRig, google: Google) -> None:
    rig.deny("demo", "run.services.create")
    other = Calls(google.url, run.transport, project=f"other-{run.transport}")
    assert other.create("shop", "web-1").generation == 1
    rig.wipe(other.project)
    with pytest.raises(GoogleAPICallError) as missing:
        other.get()
    assert missing.value.code == 404
    assert run.get().generation == 1


def test_an_unknown_verb_or_a_value_that_is_missing_is_an_error(rig: GoogleRig) -> None:
    with pytest.raises(HandError, match="is no verb"):
        rig._do("explode")
    with pytest.raises(HandError, match="'permission' is missing"):
        rig._do("deny", project="demo")
    with pytest.raises(HandError, match="is not one of CANCELLED"):
        rig.fail("demo", "write", "BROKEN")


def test_many_clients_at_once_are_all_answered(google: Google, rig: GoogleRig) -> None:
    calls = [Calls(google.url, transport, service=f"web-{n}") for n in range(6) for transport in ("grpc",)]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda one: one.create("shop", f"{one.service}-1"), calls))
    assert len({service.uri for service in made}) == 6
    assert threading.active_count() < 200
