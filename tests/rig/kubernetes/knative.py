"""Knative Serving on the rig's cluster: its own webhooks and reconcilers in one process. Standard library only.

Everything that it needs is in the cluster's API; what listens is on this machine. Knative refuses to register a webhook
by URL, hence the Service of type ExternalName that leads the API server to localhost.

What it is not: no queue-proxy, no activator (nothing wakes a revision that is at zero), and a constant in the place of
the measuring autoscaler. Its ingress layer is the rig's router.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.rig.daemons import wait_until
from tests.rig.kubernetes import build, crds
from tests.rig.kubernetes.place import Place, is_free
from tests.rig.kubernetes.rest import MERGE, Rest
from tests.rig.shell import RigError

NAMESPACE = "knative-serving"
DOMAIN = "rig.test"
INGRESS_CLASS = "rig.ingress.networking.knative.dev"
PROGRESS_DEADLINE = "30s"
"""Knative's own is 600 s; a template's annotation serving.knative.dev/progress-deadline says another."""
PROGRAM = "knative-rig"

_RESOURCES = f"/api/v1/namespaces/{NAMESPACE}"


def runs(place: Place, code: str) -> bool:
    """Whether it was started from these sources and its webhook answers."""
    return place.runs(PROGRAM, code) and not _refusal(Rest.of(place.kubeconfig))


def start(place: Place, code: str, registries: tuple[str, ...]) -> str:
    """Install and start it; what it took. Of images in `registries` tags are not resolved. Raises RigError."""
    stop(place)
    for name in ("knative_webhook", "knative_profiling"):  # it would stay up and never answer, without a word
        if not is_free(place.ports[name]):
            raise RigError(f"port {place.ports[name]} is taken: python3 -m tests.rig down, then up")
    started = time.monotonic()
    api = Rest.of(place.kubeconfig)
    _install(api, place.ports["knative_webhook"], registries)
    installed = time.monotonic()
    place.daemon(PROGRAM).start(_argv(place), lambda: not _refusal(api), patience=60)
    place.mark(PROGRAM, code)
    ended = time.monotonic()
    return f"ready in {ended - started:.1f} s (installed {installed - started:.1f}, webhook {ended - installed:.1f})"


def stop(place: Place) -> bool:
    """At once: told to end, it would keep its port for 45 s."""
    daemon = place.daemon(PROGRAM)
    pid = daemon.pid()
    if pid is None:
        return False
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: daemon.pid() is None, 10)
    daemon.pidfile.unlink(missing_ok=True)
    return True


def restart(place: Place) -> None:
    """Anew after the API server was away, if it ran; see control_plane.restart_clients."""
    if stop(place):
        api = Rest.of(place.kubeconfig)
        place.daemon(PROGRAM).start(_argv(place), lambda: not _refusal(api), patience=60)


def _install(api: Rest, port: int, registries: tuple[str, ...]) -> None:
    texts = {file.name: file.read_text() for file in sorted((build.manifests() / "knative").glob("*.yaml"))}
    _put(api, "/api/v1/namespaces", {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": NAMESPACE}})
    definitions = [text for text in texts.values() if "\nkind: CustomResourceDefinition\n" in text]
    names = [crds.apply(api, text) for text in definitions]
    _configure(api, [text for text in texts.values() if "\nkind: ConfigMap\n" in text], registries)
    for path, body in _beside(port):
        _put(api, path, body)
    crds.established(api, names)
    for name in ("defaulting.yaml", "resource-validation.yaml"):
        crds.apply(api, _through(port, texts[name]))


def _configure(api: Rest, texts: list[str], registries: tuple[str, ...]) -> None:
    for text in texts:
        crds.apply(api, text)
    for name, data in _settings(registries).items():
        status, said = api.request("PATCH", f"{_RESOURCES}/configmaps/{name}", {"data": data}, MERGE)
        if status != 200:
            raise RigError(f"{name}: {status} {said}")


def _settings(registries: tuple[str, ...]) -> dict[str, dict[str, str]]:
    return {
        "config-network": {"ingress-class": INGRESS_CLASS},
        "config-domain": {DOMAIN: ""},
        "config-deployment": {
            "queue-sidecar-image": "rig.test/queue:1",
            "registries-skipping-tag-resolving": ",".join(("kind.local", "ko.local", "dev.local", *registries)),
            "progress-deadline": PROGRESS_DEADLINE,
        },
        # the shortest that it takes: revisions are at zero some 12 s after they lost their traffic
        "config-autoscaler": {
            "stable-window": "6s",
            "scale-to-zero-grace-period": "6s",
            "target-burst-capacity": "-1",  # no activator that could be asked
        },
    }


def _beside(port: int) -> list[tuple[str, dict[str, Any]]]:
    """What Knative looks for although nothing of it runs in the cluster."""

    def one(kind: str, name: str, **rest: object) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **rest}

    to_us = {"type": "ExternalName", "externalName": "localhost", "ports": [{"name": "https", "port": port}]}
    activator = {"ports": [{"name": "http", "port": 80, "targetPort": 8012}]}
    nowhere = [{"addresses": [{"ip": "10.1.0.250"}], "ports": [{"name": "http", "port": 8012}]}]
    return [
        (f"{_RESOURCES}/services", one("Service", "webhook", spec=to_us)),
        (f"{_RESOURCES}/services", one("Service", "activator-service", spec=activator)),
        (f"{_RESOURCES}/endpoints", one("Endpoints", "activator-service", subsets=nowhere)),
        (f"{_RESOURCES}/secrets", one("Secret", "webhook-certs")),
    ]


def _put(api: Rest, path: str, body: dict[str, Any]) -> None:
    """Create it; when it is there, it is left as it is: Knative itself writes into it."""
    status, said = api.request("POST", path, body)
    if status not in (201, 409):
        raise RigError(f"{body['kind']} {body['metadata']['name']}: {status} {said}")


def _through(port: int, text: str) -> str:
    """A webhook's registration, for the port of this machine."""
    service = f"    service:\n      name: webhook\n      namespace: {NAMESPACE}\n"
    if service not in text:
        raise RigError("Knative's webhooks are registered in another way than this was written for")
    return text.replace(service, f"{service}      port: {port}\n")


def _argv(place: Place) -> list[str | Path]:
    settings = {
        "SYSTEM_NAMESPACE": NAMESPACE,
        "WEBHOOK_NAME": "webhook",
        "WEBHOOK_PORT": place.ports["knative_webhook"],
        "PROFILING_PORT": place.ports["knative_profiling"],
        "POD_NAME": "rig",
        "KUBECONFIG": place.kubeconfig,
    }
    return ["env", *(f"{name}={value}" for name, value in settings.items()), build.programs() / PROGRAM]


def _refusal(api: Rest) -> str:
    """Why a Service cannot be created; "" when it could: both webhooks were asked."""
    container = {"image": "rig.test/probe:1"}
    body = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "rig-probe", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    path = "/apis/serving.knative.dev/v1/namespaces/default/services?dryRun=All"
    try:
        status, said = api.request("POST", path, body)
    except OSError as error:
        return str(error)
    defaulted = status == 201 and "timeoutSeconds" in said["spec"]["template"]["spec"]
    return "" if defaulted else f"{status} {said}"
