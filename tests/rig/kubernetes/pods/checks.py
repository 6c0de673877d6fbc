"""One attempt of a probe over the network, failing in the kubelet's words (pkg/probe).

HTTP passes with 200 to 399; redirects are not followed here (a kubelet follows those to the same host).
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from contextlib import closing

from tests.rig.google.cloudrun import instances_probes
from tests.rig.google.cloudrun.contract import ProbeSpec
from tests.rig.kubernetes.nodes.apiserver import Object

_BODY = 1024


def port_number(container: Object, port: int | str) -> int:
    """A probe's port: a number, or the name of one of the container's ports."""
    if isinstance(port, int) or port.isdigit():
        return int(port)
    return int(next(one["containerPort"] for one in container.get("ports", []) if one.get("name") == port))


def check(container: Object, probe: Object, host: str) -> str | None:
    """None when it passes, else why not. For httpGet, tcpSocket and grpc; exec belongs to the runtime."""
    seconds = float(probe.get("timeoutSeconds", 1))
    if "httpGet" in probe:
        asked = probe["httpGet"]
        return http_get(asked, asked.get("host") or host, port_number(container, asked["port"]), seconds)
    if "tcpSocket" in probe:
        asked = probe["tcpSocket"]
        return _tcp(asked.get("host") or host, port_number(container, asked["port"]), seconds)
    asked = probe["grpc"]
    spec = ProbeSpec("grpc", asked["port"], timeout=int(seconds), grpc_service=asked.get("service") or "")
    if instances_probes.attempt(spec, host, threading.Event()):
        return None
    return f'timeout: failed to connect service "{host}:{asked["port"]}" within {seconds:.0f}s, or it is not serving'


def http_get(asked: Object, host: str, port: int, seconds: float) -> str | None:
    """GET as a kubelet asks; its User-Agent tells an application who asks."""
    scheme, path = asked.get("scheme", "HTTP"), asked.get("path") or "/"
    url = f'Get "{scheme.lower()}://{host}:{port}{path}"'
    headers = {"User-Agent": "kube-probe/1.34", "Accept": "*/*", "Connection": "close"}
    headers |= {one["name"]: one["value"] for one in asked.get("httpHeaders", [])}
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    if scheme == "HTTPS":
        trusting = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=trusting)
    with closing(connection):
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read(_BODY)
        except TimeoutError:
            return f"{url}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        except ConnectionRefusedError:
            return f"{url}: dial tcp {host}:{port}: connect: connection refused"
        except http.client.BadStatusLine:
            return f"{url}: EOF"
        except (OSError, http.client.HTTPException) as error:
            return f"{url}: {_words(error)}"
    return None if 200 <= answer.status < 400 else f"HTTP probe failed with statuscode: {answer.status}"


def queue_proxy_probe(container: Object) -> Object | None:
    """The user container's readiness probe, which Knative hands to its queue-proxy as JSON (SERVING_READINESS_PROBE).

    Port 0 stands for the port that the user container listens on.
    """
    env = {one["name"]: one.get("value", "") for one in container.get("env", [])}
    if not env.get("SERVING_READINESS_PROBE"):
        return None
    probe: Object = json.loads(env["SERVING_READINESS_PROBE"])
    probe = {name: value for name, value in probe.items() if value is not None}
    for kind in ("httpGet", "tcpSocket", "grpc"):
        if kind in probe and not probe[kind].get("port"):
            probe[kind]["port"] = int(env["USER_PORT"])
        if kind in probe and probe[kind].get("host") in ("127.0.0.1", "localhost"):
            del probe[kind]["host"]
    return probe


def _tcp(host: str, port: int, seconds: float) -> str | None:
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return None
    except TimeoutError:
        return f"dial tcp {host}:{port}: i/o timeout"
    except OSError as error:
        return f"dial tcp {host}:{port}: connect: {_words(error)}"


def _words(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return said[:1].lower() + said[1:]
