"""python -m tests.rig.kubernetes.nodes --kubeconfig K --state DIR --port P

Runs the nodes until SIGTERM, which removes every container, or SIGHUP, which leaves them for the next one to adopt.
Prints one JSON line and writes DIR/ready when the nodes are there.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import threading
from pathlib import Path

from tests.rig.kubernetes.nodes import kubelet_front, verbs
from tests.rig.kubernetes.nodes.apiserver import ApiServer, path
from tests.rig.kubernetes.nodes.behaviours import Behaviours
from tests.rig.kubernetes.nodes.casting import Casting
from tests.rig.kubernetes.nodes.kubelet import Kubelet
from tests.rig.kubernetes.nodes.machines import Machines
from tests.rig.kubernetes.pods.engine import Engine, is_local
from tests.rig.kubernetes.pods.environment import Lookups
from tests.rig.kubernetes.pods.events import Events
from tests.rig.kubernetes.pods.world import World

log = logging.getLogger("nodes")


def main() -> int:
    """Start everything, say so, and wait for a signal."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    state: Path = options.state
    state.mkdir(parents=True, exist_ok=True)
    (state / "ready").unlink(missing_ok=True)
    api = ApiServer(options.kubeconfig)
    engine = _engine(state)
    behaviours = Behaviours(state / "behaviours.json")
    casting = Casting(behaviours, engine)
    world = World(api, state / "pods", Lookups(api), Events(api), engine, casting.choose, behaviours.factor)
    front, handler = kubelet_front.serve(state)
    machines = Machines(api, front.server_address[1])
    machines.start()
    if engine is not None:
        pods = api.get(path("pods"))["items"]
        log.info("removed %d left-over containers", engine.clear({str(pod["metadata"]["uid"]) for pod in pods}))
    kubelet = Kubelet(api, world, machines.__contains__)
    handler.kubelet = kubelet
    threading.Thread(target=front.serve_forever, name="kubelet front", daemon=True).start()
    hands = verbs.serve(options.port, _verbs(behaviours, machines, kubelet, engine))
    threading.Thread(target=hands.serve_forever, name="hands", daemon=True).start()
    kubelet.listed.wait()
    said = json.dumps({"hands": f"http://127.0.0.1:{hands.server_address[1]}", "engine": engine is not None})
    (state / "ready").write_text(said + "\n")
    print(said, flush=True)
    _until_signal(engine)
    return 0


def _engine(state: Path) -> Engine | None:
    """The Docker engine, when there is one whose containers this machine can reach."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=120, max_pool_size=64)
        client.ping()
    except DockerException as error:
        log.warning("no engine, pods are played: %s", error)
        return None
    if not is_local(client):
        log.warning("the engine's containers cannot be reached from here: pods are played")
        return None
    return Engine(client, state)


def _verbs(behaviours: Behaviours, machines: Machines, kubelet: Kubelet, engine: Engine | None) -> verbs.Verbs:
    return {
        "behave": lambda q: behaviours.behave(q["match"], q["behaviour"]),
        "forget": lambda q: behaviours.forget(q["match"]),
        "factor": lambda q: behaviours.set_factor(float(q["factor"]), q.get("namespace", "")),
        "kill": lambda q: kubelet.kill(q["namespace"], q["pod"], q.get("container", "")),
        "add": lambda q: machines.add(q["name"], q.get("allocatable"), q.get("labels"), q.get("taints") or ()),
        "remove": lambda q: machines.remove(q["name"]),
        "cordon": lambda q: machines.cordon(q["name"], on=bool(q.get("on", True))),
        "taint": lambda q: machines.taint(q["name"], q["taints"]),
        "status": lambda q: {
            "ready": kubelet.listed.is_set(),
            "nodes": machines.names(),
            "engine": engine is not None,
            "rules": behaviours.rules(),
            "pods": kubelet.status(),
        },
    }


def _until_signal(engine: Engine | None) -> None:
    stopped, leave = threading.Event(), threading.Event()

    def heard(number: int, _: object) -> None:
        if number == signal.SIGHUP:
            leave.set()
        stopped.set()

    for wanted in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(wanted, heard)
    stopped.wait()
    if engine is not None and not leave.is_set():
        engine.close()
    os._exit(0)  # keepers and watches are threads that wait for ever


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.rig.kubernetes.nodes")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
