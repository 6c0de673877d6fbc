"""Pods that really run: answers, logs, probes, security, limits, volumes, graceful ends, and twenty at once."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import images_needed
from tests.rig.api import Rig
from tests.rig.kubernetes.handle import KubeRig
from tests.rig_tests.pods_on_the_rig import Pods, pods_in
from tests.rig_tests.service_images import ServiceImages, service_images

pytestmark = [pytest.mark.integration, pytest.mark.sample(6, of="module")]

BASE = "python:3.11-slim"
READY = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}

SHOW = """
import json, os, signal, socket, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        _, verb, *rest = self.path.split("/", 2)
        status, body = 200, ""
        if verb == "env": body = json.dumps(dict(os.environ))
        elif verb == "read": body = open("/" + rest[0]).read()
        elif verb == "stat":
            found = os.stat("/" + rest[0])
            body = json.dumps([oct(found.st_mode & 0o7777), found.st_uid, found.st_gid])
        elif verb == "write":
            try: open("/" + rest[0], "w").write("x")
            except OSError as error: status, body = 500, error.strerror
        elif verb == "who": body = json.dumps([os.getuid(), os.getgid(), sorted(os.getgroups()), socket.gethostname()])
        elif verb == "sick": open("/tmp/sick", "w").close()
        elif verb == "well": os.unlink("/tmp/sick")
        elif verb == "healthz": status = 500 if os.path.exists("/tmp/sick") else 200
        elif verb == "caps": body = next(l for l in open("/proc/self/status") if l.startswith("CapEff"))
        self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_): pass
signal.signal(signal.SIGTERM, lambda *_: (print("told to end", flush=True), sys.exit(0)))
print("serving", flush=True)
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
SERVE = ["python", "-u", "-c", SHOW]


@pytest.fixture
def pods(kube_rig: KubeRig) -> Iterator[Pods]:
    with pods_in(kube_rig) as found:
        images_needed(found.rig)
        yield found


@pytest.fixture(scope="module")
def images(rig: Rig) -> Iterator[ServiceImages]:
    with service_images(rig) as made:
        yield made


def shown(pods: Pods, path: str, app: str = "shop") -> Any:
    """What the pod answers, asked through the API server; JSON is parsed."""
    status, said = pods.through("pods", pods.of(app)[0]["metadata"]["name"], path)
    assert status == 200, said
    return said


def test_an_image_of_the_registry_answers_through_pod_service_and_logs(pods: Pods, images: ServiceImages) -> None:
    image = images.make("good", "one")
    pods.deploy("shop", image, readinessProbe=READY)
    pods.service("shop", "shop")
    pods.until(lambda: pods.is_ready("shop"))
    pod = pods.of("shop")[0]
    assert pods.through("pods", pod["metadata"]["name"]) == (200, "one")
    pods.until(lambda: pods.through("services", "shop", port=80) == (200, "one"))
    status = pod["status"]["containerStatuses"][0]
    assert status["imageID"] == image
    assert status["containerID"].startswith("docker://")


def test_an_image_that_was_never_pushed_is_missing(pods: Pods, images: ServiceImages) -> None:
    repository = images.make("good", "two").partition("@")[0]
    pods.deploy("shop", f"{repository}:nobody-pushed-this")
    pods.until(lambda: pods.waits_for("shop") == "ImagePullBackOff")


def test_logs_by_tail_and_those_of_the_container_before(pods: Pods) -> None:
    code = "print('loading'); print('cannot load the model'); raise SystemExit(3)"
    pods.deploy("shop", BASE, command=["python", "-u", "-c", code], terminationMessagePolicy="FallbackToLogsOnError")
    pods.until(lambda: pods.waits_for("shop") == "CrashLoopBackOff" and pods.container("shop")["restartCount"] >= 1)
    name = pods.of("shop")[0]["metadata"]["name"]
    assert pods.logs(name, "?previous=true&tailLines=1") == (200, "cannot load the model\n")
    last = pods.container("shop")["lastState"]["terminated"]
    assert (last["exitCode"], last["message"]) == (3, "loading\ncannot load the model\n")


def test_logs_are_followed_to_the_end_and_cut_as_asked(pods: Pods) -> None:
    code = "import time; print('one'); time.sleep(1); print('two'); time.sleep(1); print('three')"
    pods.job("migrate", BASE, command=["python", "-uc", code])
    pods.until(lambda: bool(pods.all_of("pods")) and pods.all_of("pods")[0]["status"].get("phase") == "Running")
    name = pods.all_of("pods")[0]["metadata"]["name"]
    assert pods.logs(name, "?follow=true") == (200, "one\ntwo\nthree\n")
    assert pods.logs(name, "?limitBytes=6") == (200, "one\ntw")
    assert pods.logs(name, "?tailLines=1&timestamps=true")[1].endswith("Z three\n")
    assert pods.logs(name, "?sinceSeconds=3600&tailLines=2") == (200, "two\nthree\n")


def test_an_image_that_is_root_is_refused_where_non_root_is_asked(pods: Pods) -> None:
    pods.deploy("shop", BASE, command=SERVE, securityContext={"runAsNonRoot": True})
    pods.until(lambda: pods.waits_for("shop") == "CreateContainerConfigError")
    said = pods.container("shop")["state"]["waiting"]["message"]
    assert said.startswith("container has runAsNonRoot and image will run as root (pod: ")


def test_a_restricted_pod_runs_as_it_is_told(pods: Pods) -> None:
    context = {
        "runAsNonRoot": True,
        "runAsUser": 1234,
        "runAsGroup": 1235,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    volume = {"volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]}
    mounts = [{"name": "tmp", "mountPath": "/scratch"}]
    pod = {**volume, "securityContext": {"fsGroup": 2000}}
    pods.deploy("shop", BASE, command=SERVE, securityContext=context, pod=pod, volumeMounts=mounts)
    pods.until(lambda: pods.is_ready("shop"))
    pods.until(lambda: "serving\n" in pods.logs(pods.of("shop")[0]["metadata"]["name"])[1])
    assert shown(pods, "/who") == [1234, 1235, [1235, 2000], pods.of("shop")[0]["metadata"]["name"]]
    assert shown(pods, "/caps").split() == ["CapEff:", "0" * 16]
    assert pods.through("pods", pods.of("shop")[0]["metadata"]["name"], "/write/opt/x") == (
        500,
        "Read-only file system",
    )
    assert shown(pods, "/write/scratch/x") == ""


def test_out_of_memory_is_seen_from_the_engine(pods: Pods) -> None:
    hungry = ["python", "-c", "x = b'x' * (256 << 20); print(len(x))"]
    pods.deploy("shop", BASE, command=hungry, resources={"limits": {"memory": "32Mi"}})
    pods.until(lambda: "terminated" in pods.container("shop").get("lastState", {}))
    last = pods.container("shop")["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (137, "OOMKilled")


def test_a_command_that_is_not_there_is_a_start_error(pods: Pods) -> None:
    pods.deploy("shop", BASE, command=["serve-the-model"])
    pods.until(lambda: "terminated" in pods.container("shop").get("lastState", {}))
    last = pods.container("shop")["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (128, "StartError")
    assert '"serve-the-model": executable file not found' in last["message"]


def test_environment_and_files_come_from_where_the_pod_says(pods: Pods) -> None:
    pods.apply("v1", "Secret", "secrets", "keys", {"data": {"token": base64.b64encode(b"s3cret").decode()}})
    pods.apply("v1", "ConfigMap", "configmaps", "settings", {"data": {"MODE": "fast", "size": "3"}})
    env = [
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "URL", "value": "http://$(IP)/$(POD)"},
        {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x", "optional": True}}},
    ]
    volumes = [
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
        {"name": "both", "projected": {"sources": [{"configMap": {"name": "settings"}}, downward()]}},
    ]
    pods.deploy(
        "shop",
        BASE,
        command=SERVE,
        env=env,
        envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "S_"}],
        pod={"volumes": volumes, "securityContext": {"fsGroup": 2000}},
        volumeMounts=[{"name": "keys", "mountPath": "/keys"}, {"name": "both", "mountPath": "/both"}],
        readinessProbe=READY,
    )
    pods.until(lambda: pods.is_ready("shop"))
    pod = pods.of("shop")[0]
    found = shown(pods, "/env")
    assert (found["TOKEN"], found["POD"], found["S_MODE"]) == ("s3cret", pod["metadata"]["name"], "fast")
    assert found["URL"] == f"http://{pod['status']['podIP']}/{pod['metadata']['name']}"
    assert "MAYBE" not in found
    assert (shown(pods, "/read/keys/token"), shown(pods, "/read/both/size")) == ("s3cret", 3)
    assert 'app="shop"' in shown(pods, "/read/both/labels")
    assert shown(pods, "/stat/keys/token") == ["0o440", 0, 2000]
    token = shown(pods, "/read/var/run/secrets/kubernetes.io/serviceaccount/token")
    assert token.count(".") == 2


def test_host_path_is_refused(pods: Pods) -> None:
    pods.deploy("shop", BASE, pod={"volumes": [{"name": "host", "hostPath": {"path": "/"}}]})
    refused = 'MountVolume.SetUp failed for volume "host" : the rig\'s nodes have no hostPath volumes'
    pods.until(lambda: refused in pods.events("FailedMount"))


def test_readiness_follows_the_probe_and_the_endpoints_follow_readiness(pods: Pods) -> None:
    probe = {**READY, "failureThreshold": 1}
    pods.deploy("shop", BASE, command=SERVE, readinessProbe=probe)
    pods.service("shop", "shop")
    pods.until(lambda: pods.is_ready("shop"))
    name = pods.of("shop")[0]["metadata"]["name"]
    shown(pods, "/sick")
    pods.until(lambda: not pods.is_ready("shop"))
    pods.until(lambda: pods.through("services", "shop", port=80)[0] == 503)
    assert "Readiness probe failed: HTTP probe failed with statuscode: 500" in pods.events("Unhealthy")
    assert pods.of("shop")[0]["metadata"]["name"] == name
    shown(pods, "/well")
    pods.until(lambda: pods.is_ready("shop"))


def test_liveness_starts_it_again(pods: Pods) -> None:
    probe = {**READY, "failureThreshold": 1}
    started = {**READY, "failureThreshold": 30}  # a liveness probe that meets a process still starting would kill it
    pods.deploy("shop", BASE, command=SERVE, livenessProbe=probe, readinessProbe=READY, startupProbe=started)
    pods.until(lambda: pods.is_ready("shop"))
    shown(pods, "/sick")
    pods.until(lambda: pods.container("shop")["restartCount"] == 1 and pods.is_ready("shop"))
    assert "Container app failed liveness probe, will be restarted" in pods.events("Killing")
    assert pods.logs(pods.of("shop")[0]["metadata"]["name"], "?previous=true") == (200, "serving\ntold to end\n")


def test_a_startup_probe_holds_the_others_and_can_kill(pods: Pods) -> None:
    never = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 2}
    pods.deploy("shop", BASE, command=SERVE, startupProbe=never, readinessProbe=READY)
    pods.until(lambda: pods.container("shop").get("restartCount", 0) >= 1)
    assert "Container app failed startup probe, will be restarted" in pods.events("Killing")
    assert not any(one.startswith("Readiness") for one in pods.events("Unhealthy"))


def test_a_pod_ends_by_its_hook_and_then_by_sigterm(pods: Pods) -> None:
    hook = {"preStop": {"sleep": {"seconds": 1}}}
    pods.deploy("shop", BASE, command=SERVE, lifecycle=hook, readinessProbe=READY)
    pods.until(lambda: pods.is_ready("shop"))
    name = pods.of("shop")[0]["metadata"]["name"]
    pods.delete("deployments", "shop", "apps/v1")
    began = time.monotonic()
    pods.until(lambda: not pods.of("shop"))
    assert time.monotonic() - began >= 0.9
    assert "Stopping container app" in pods.events("Killing")
    assert pods.logs(name)[0] == 404


def test_what_ignores_sigterm_is_killed_after_its_grace(pods: Pods) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    pods.deploy("shop", BASE, command=["python", "-c", deaf], pod={"terminationGracePeriodSeconds": 1})
    pods.until(lambda: pods.is_ready("shop") and pods.logs(pods.of("shop")[0]["metadata"]["name"])[1] == "deaf\n")
    pods.delete("deployments", "shop", "apps/v1")
    pods.until(lambda: not pods.of("shop"), patience=15)


@pytest.mark.parametrize(("code", "condition"), [(0, "Complete"), (7, "Failed")])
def test_a_job_that_runs_ends_as_its_process_does(pods: Pods, code: int, condition: str) -> None:
    pods.job("migrate", BASE, command=["python", "-c", f"print('migrated'); raise SystemExit({code})"])
    pods.until(lambda: pods.condition(pods.get("batch/v1", "jobs", "migrate"), condition).get("status") == "True")
    pod = pods.all_of("pods")[0]
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == code
    assert pods.logs(pod["metadata"]["name"]) == (200, "migrated\n")


def test_init_containers_and_sidecars_share_files_and_network(pods: Pods) -> None:
    share = {"name": "share", "mountPath": "/share"}
    write = ["python", "-c", "open('/share/made', 'w').write('by init')"]
    server = ["python", "-m", "http.server", "--directory", "/share", "9000"]
    ready = {"tcpSocket": {"port": 9000}, "periodSeconds": 1}
    init = [
        {"name": "write", "image": BASE, "command": write, "volumeMounts": [share]},
        {
            "name": "files",
            "image": BASE,
            "command": server,
            "volumeMounts": [share],
            "restartPolicy": "Always",
            "startupProbe": ready,
        },
    ]
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9000/made').read().decode())"
    pod = {"initContainers": init, "volumes": [{"name": "share", "emptyDir": {}}]}
    pods.deploy("shop", BASE, command=["python", "-uc", f"{ask}\nimport time; time.sleep(600)"], pod=pod)
    pods.until(lambda: pods.is_ready("shop"))
    name = pods.of("shop")[0]["metadata"]["name"]
    pods.until(lambda: pods.logs(name, "?container=app") == (200, "by init\n"))
    pods.delete("deployments", "shop", "apps/v1")
    pods.until(lambda: not pods.of("shop"), patience=20)


def test_twenty_pods_at_once(pods: Pods, images: ServiceImages, record_property: Any) -> None:
    began = time.monotonic()
    pods.deploy("shop", images.make("good", "many"), replicas=20, readinessProbe=READY)
    pods.until(lambda: pods.is_ready("shop", 20), patience=180)
    up = time.monotonic() - began
    pods.delete("deployments", "shop", "apps/v1")
    pods.until(lambda: not pods.of("shop"), patience=120)
    record_property("seconds", up)
    print(f"20 pods ready after {up:.1f} s, gone {time.monotonic() - began - up:.1f} s after the deletion")


def downward() -> dict[str, Any]:
    return {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}
