"""python -m tests.rig.kubernetes.router --kubeconfig K --state DIR --port P --edge EDGE_PORT

Runs the router until SIGTERM. Prints one JSON line and writes DIR/ready when the first look is done.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import threading
from pathlib import Path

from tests.rig.kubernetes.nodes import verbs
from tests.rig.kubernetes.nodes.apiserver import ApiServer
from tests.rig.kubernetes.router import own_gateway, pages
from tests.rig.kubernetes.router.cluster import Cluster
from tests.rig.kubernetes.router.haproxy import HAProxy
from tests.rig.kubernetes.router.programme import Programme
from tests.rig.kubernetes.router.router import Router
from tests.rig.kubernetes.router.table import Endpoint

log = logging.getLogger("router")


def main() -> int:
    """Start everything, say so, and wait for a signal."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    state: Path = options.state
    state.mkdir(parents=True, exist_ok=True)
    (state / "ready").unlink(missing_ok=True)
    api = ApiServer(options.kubeconfig)
    if not own_gateway.make(api):
        log.warning("the Gateway API is not installed: no Gateway")
    haproxy = _haproxy(state, options.edge)
    programme = None
    if haproxy is not None:
        programme = Programme(haproxy, _page(503, "no ready endpoints"), _page(500, "no such service"))
    cluster = Cluster(api)
    cluster.wait()
    router = Router(api, cluster, programme)
    router.look()
    threading.Thread(target=router.run, name="router", daemon=True).start()
    edge = options.edge if haproxy else None
    hands = verbs.serve(options.port, _verbs(router, edge))
    threading.Thread(target=hands.serve_forever, name="hands", daemon=True).start()
    said = json.dumps({"hands": f"http://127.0.0.1:{hands.server_address[1]}", "edge": edge})
    (state / "ready").write_text(said + "\n")
    print(said, flush=True)
    stopped = threading.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(wanted, lambda *_: stopped.set())
    stopped.wait()
    if haproxy is not None:
        haproxy.close()
    os._exit(0)  # the watches are threads that wait for ever


def _verbs(router: Router, edge: int | None) -> verbs.Verbs:
    return {
        "hold": lambda q: router.hold(q["namespace"], q.get("failure", "")),
        "release": lambda q: router.release(q["namespace"]),
        "status": lambda q: {"ready": True, "edge": edge, **router.status()},
    }


def _haproxy(state: Path, edge: int) -> HAProxy | None:
    """None without an engine on this machine: nothing that it could route to runs then."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except DockerException as error:
        log.warning("no engine, no edge: %s", error)
        return None
    folder = state / "haproxy"
    folder.mkdir(exist_ok=True)
    return HAProxy(client, folder, edge)


def _page(status: int, text: str) -> Endpoint:
    return Endpoint("", "127.0.0.1", pages.serve(status, text))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.rig.kubernetes.router")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--edge", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
