"""One table of manifests: what is done to a valid one, and whether Knative takes it, which we have to say as well."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Manifest = dict[str, Any]
Change = Callable[[Manifest], None]

NAME = "shop"
DELETE = object()


def valid(namespace: str) -> Manifest:
    """A Service that uses most of what is allowed."""
    container = {
        "image": f"registry.test/shop@sha256:{'a' * 64}",
        "args": ["serve"],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": "MODE", "value": "fast"}],
        "startupProbe": _probe("/healthz"),
        "readinessProbe": _probe("/healthz"),
        "livenessProbe": _probe("/alive"),
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "settings", "mountPath": "/settings", "readOnly": True},
        ],
    }
    spec = {
        "containers": [container],
        "volumes": [
            {"name": "tmp", "emptyDir": {"medium": "Memory"}},
            {"name": "settings", "configMap": {"name": "settings"}},
        ],
        "containerConcurrency": 10,
        "timeoutSeconds": 60,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
    }
    annotations = {
        "autoscaling.knative.dev/min-scale": "1",
        "autoscaling.knative.dev/max-scale": "3",
        "serving.knative.dev/progress-deadline": "60s",
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "template": {"metadata": {"name": f"{NAME}-1", "annotations": annotations}, "spec": spec},
            "traffic": [{"revisionName": f"{NAME}-1", "latestRevision": False, "percent": 100, "tag": "n1"}],
        },
    }


def _probe(path: str) -> Manifest:
    return {
        "httpGet": {"path": path, "port": 8080},
        "periodSeconds": 1,
        "timeoutSeconds": 1,
        "failureThreshold": 3,
        "successThreshold": 1,
    }


def put(path: str, value: Any) -> Change:
    """Sets a member; `path` is dotted, a number is an index, and DELETE takes it away. In a key "/" stays, and "~" is
    a dot.
    """

    def change(manifest: Manifest) -> None:
        *parents, last = (part.replace("~", ".") for part in path.split("."))
        place: Any = manifest
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        key: Any = int(last) if isinstance(place, list) else last
        if value is DELETE:
            del place[key]
        elif isinstance(place, list) and key == len(place):
            place.append(value)
        else:
            place[key] = value

    return change


_C = "spec.template.spec.containers.0"
_A = "spec.template.metadata.annotations.autoscaling~knative~dev"
_N = "spec.template.metadata.annotations.networking~knative~dev"
_Q = "spec.template.metadata.annotations.queue~sidecar~serving~knative~dev"
_T = "spec.traffic"

REFUSED: dict[str, tuple[Change, ...]] = {
    # traffic
    "percents sum to 90": (put(f"{_T}.0.percent", 90),),
    "percent above 100": (put(f"{_T}.0.percent", 101),),
    "percent below 0": (put(f"{_T}.0.percent", -1), put(f"{_T}.1", {"revisionName": "shop-2", "percent": 101})),
    "the same tag twice": (
        put(f"{_T}.0.percent", 50),
        put(f"{_T}.1", {"revisionName": "shop-2", "percent": 50, "tag": "n1"}),
    ),
    "a name and the latest": (put(f"{_T}.0.latestRevision", True),),
    "neither a name nor the latest": (put(f"{_T}.0.revisionName", ""),),
    "a tag with a capital": (put(f"{_T}.0.tag", "New"),),
    "a tag that begins with a digit": (put(f"{_T}.0.tag", "1st"),),
    "a tag of 64 characters": (put(f"{_T}.0.tag", "n" * 64),),
    "a configuration's name": (put(f"{_T}.0.configurationName", "shop"),),
    "a url": (put(f"{_T}.0.url", "http://shop.test"),),
    "percent as text": (put(f"{_T}.0.percent", "100"),),
    "traffic that is no list": (put(_T, {"revisionName": "shop-1", "percent": 100}),),
    "a revision's name that is a number": (put(f"{_T}.0.revisionName", 1),),
    "the latest in words": (put(f"{_T}.0.latestRevision", "no"),),
    "a tag that is a number": (put(f"{_T}.0.tag", 1),),
    "an unknown member of traffic": (put(f"{_T}.0.weight", 100),),
    "an unknown member of spec": (put("spec.trafic", []),),
    "an unknown member of the template": (put("spec.template.nonsense", "x"),),
    # names
    "a revision's name without the prefix": (put("spec.template.metadata.name", "other-1"),),
    "a revision's name with a capital": (put("spec.template.metadata.name", "shop-A"),),
    "a revision's name of 64 characters": (put("spec.template.metadata.name", "shop-" + "a" * 59),),
    "a Service's name that begins with a digit": (
        put("metadata.name", "1shop"),
        put("spec.template.metadata.name", "1shop-1"),
    ),
    # autoscaling
    "min-scale in words": (put(f"{_A}/min-scale", "two"),),
    "min-scale below 0": (put(f"{_A}/min-scale", "-1"),),
    "min-scale above max-scale": (put(f"{_A}/min-scale", "4"),),
    "min-scale with a fraction": (put(f"{_A}/min-scale", "1.5"),),
    "max-scale beyond 32 bits": (put(f"{_A}/max-scale", "2147483648"),),
    "initial-scale 0": (put(f"{_A}/initial-scale", "0"),),
    "initial-scale in words": (put(f"{_A}/initial-scale", "one"),),
    "activation-scale 1": (put(f"{_A}/activation-scale", "1"),),
    "activation-scale above max-scale": (put(f"{_A}/activation-scale", "4"),),
    "activation-scale in words": (put(f"{_A}/activation-scale", "two"),),
    "an autoscaler that is not there": (put(f"{_A}/class", "apa.autoscaling.knative.dev"),),
    "a metric that kpa has not": (put(f"{_A}/metric", "cpu"),),
    "an empty metric for hpa": (
        put(f"{_A}/class", "hpa.autoscaling.knative.dev"),
        put(f"{_A}/metric", ""),
    ),
    "a target of 0": (put(f"{_A}/target", "0"),),
    "a target in words": (put(f"{_A}/target", "many"),),
    "a utilization of 101": (put(f"{_A}/target-utilization-percentage", "101"),),
    "a burst of -2": (put(f"{_A}/target-burst-capacity", "-2"),),
    "a window of 5 s": (put(f"{_A}/window", "5s"),),
    "a window of two hours": (put(f"{_A}/window", "2h"),),
    "a window in halves of seconds": (put(f"{_A}/window", "6500ms"),),
    "a window without a unit": (put(f"{_A}/window", "60"),),
    "a scale-down-delay below 0": (put(f"{_A}/scale-down-delay", "-1s"),),
    "a scale-down-delay of half a second": (put(f"{_A}/scale-down-delay", "500ms"),),
    "a retention of two hours": (put(f"{_A}/scale-to-zero-pod-retention-period", "2h"),),
    "a panic window of 0": (put(f"{_A}/panic-window-percentage", "0.5"),),
    "a panic threshold of 100": (put(f"{_A}/panic-threshold-percentage", "100"),),
    "an algorithm that is not there": (
        put(f"{_A}/class", "kpa.autoscaling.knative.dev"),
        put(f"{_A}/metric-aggregation-algorithm", "median"),
    ),
    "autoscaling on the Service": (put("metadata.annotations.autoscaling~knative~dev/min-scale", "1"),),
    "an annotation that is no text": (put(f"{_A}/min-scale", 1),),
    # other annotations
    "a deadline without a unit": (
        put("spec.template.metadata.annotations.serving~knative~dev/progress-deadline", "600"),
    ),
    "a deadline below 0": (put("spec.template.metadata.annotations.serving~knative~dev/progress-deadline", "-5s"),),
    "a deadline of half a second": (
        put("spec.template.metadata.annotations.serving~knative~dev/progress-deadline", "500ms"),
    ),
    "an unknown networking annotation": (
        put("spec.template.metadata.annotations.networking~knative~dev/nonsense", "x"),
    ),
    "a rollout-duration without a unit": (put("metadata.annotations.serving~knative~dev/rollout-duration", "60"),),
    "a share of the sidecar of 200": (
        put(f"{_Q}/resource-percentage", "200"),
    ),
    "an amount of the sidecar in words": (put(f"{_Q}/cpu-resource-request", "lots"),),
    "an amount of the sidecar with a unit that is not there": (put(f"{_Q}/memory-resource-limit", "64MiB"),),
    "an empty amount of the sidecar": (put(f"{_Q}/ephemeral-storage-resource-limit", ""),),
    "an http-option": (put(f"{_N}/http-option", "Redirected"),),
    "an httpProtocol": (put(f"{_N}/httpProtocol", "Redirected"),),
    "a deadline beyond Go's durations": (
        put("spec.template.metadata.annotations.serving~knative~dev/progress-deadline", "9" * 400 + "s"),
    ),
    # the pod
    "no containers": (put("spec.template.spec.containers", []),),
    "containers missing": (put("spec.template.spec.containers", DELETE),),
    "two containers without a port": (
        put(f"{_C}.ports", DELETE),
        put("spec.template.spec.containers.1", {"name": "side", "image": "registry.test/side:1"}),
    ),
    "two containers of one name": (
        put(f"{_C}.name", "app"),
        put("spec.template.spec.containers.1", {"name": "app", "image": "registry.test/side:1"}),
    ),
    "init containers": (
        put("spec.template.spec.initContainers", [{"name": "init", "image": "registry.test/init:1"}]),
    ),
    "a node selector": (put("spec.template.spec.nodeSelector", {"pool": "gpu"}),),
    "tolerations": (put("spec.template.spec.tolerations", [{"operator": "Exists"}]),),
    "affinity": (put("spec.template.spec.affinity", {"nodeAffinity": {}}),),
    "a priority class": (put("spec.template.spec.priorityClassName", "high"),),
    "a runtime class": (put("spec.template.spec.runtimeClassName", "gvisor"),),
    "the pod's own securityContext": (put("spec.template.spec.securityContext", {"fsGroup": 1000}),),
    "the pod's user below 0": (put("spec.template.spec.securityContext", {"runAsUser": -1}),),
    "the pod's sysctls": (
        put("spec.template.spec.securityContext", {"sysctls": [{"name": "net.core.somaxconn", "value": "9"}]}),
    ),
    "the host's network": (put("spec.template.spec.hostNetwork", True),),
    "a token of the service account": (put("spec.template.spec.automountServiceAccountToken", True),),
    "a grace period": (put("spec.template.spec.terminationGracePeriodSeconds", 5),),
    "a restart policy": (put("spec.template.spec.restartPolicy", "Always"),),
    "a service account with a capital": (put("spec.template.spec.serviceAccountName", "Shop"),),
    "concurrency of 1001": (put("spec.template.spec.containerConcurrency", 1001),),
    "concurrency of -1": (put("spec.template.spec.containerConcurrency", -1),),
    "concurrency as text": (put("spec.template.spec.containerConcurrency", "10"),),
    "a request of 601 s": (put("spec.template.spec.timeoutSeconds", 601),),
    # volumes
    "a volume that is not mounted": (put("spec.template.spec.volumes.2", {"name": "more", "emptyDir": {}}),),
    "a volume of the host": (put("spec.template.spec.volumes.0", {"name": "tmp", "hostPath": {"path": "/tmp"}}),),
    "a claim": (
        put(
            "spec.template.spec.volumes.1",
            {"name": "settings", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
        ),
    ),
    "a volume with two sources": (put("spec.template.spec.volumes.0.configMap", {"name": "settings"}),),
    "a volume by NFS": (
        put("spec.template.spec.volumes.0", {"name": "tmp", "nfs": {"server": "nfs.test", "path": "/"}}),
    ),
    "a claim that may be written to": (
        put("spec.template.spec.volumes.1", {"name": "settings", "persistentVolumeClaim": {"claimName": "models"}}),
    ),
    "a file without a path": (
        put("spec.template.spec.volumes.1.configMap", {"name": "settings", "items": [{"key": "a"}]}),
    ),
    "a volume without a source": (put("spec.template.spec.volumes.0", {"name": "tmp"}),),
    "a volume's name with a dot": (
        put("spec.template.spec.volumes.0.name", "t.mp"),
        put(f"{_C}.volumeMounts.0.name", "t.mp"),
    ),
    "two volumes of one name": (
        put("spec.template.spec.volumes.2", {"name": "tmp", "emptyDir": {}}),
    ),
    "a medium that is not there": (put("spec.template.spec.volumes.0.emptyDir.medium", "Disk"),),
    "a projection of nothing": (
        put("spec.template.spec.volumes.1", {"name": "settings", "projected": {"sources": [{}]}}),
    ),
    "a projection without a name": (
        put("spec.template.spec.volumes.1", {"name": "settings", "projected": {"sources": [{"secret": {}}]}}),
    ),
    "a projection of what Knative does not know": (
        put(
            "spec.template.spec.volumes.1",
            {"name": "settings", "projected": {"sources": [{"clusterTrustBundle": {"name": "ours", "path": "ca"}}]}},
        ),
    ),
    "a token without a path": (
        put(
            "spec.template.spec.volumes.1",
            {"name": "settings", "projected": {"sources": [{"serviceAccountToken": {"audience": "vault"}}]}},
        ),
    ),
    # mounts
    "a mount of no volume": (put(f"{_C}.volumeMounts.2", {"name": "none", "mountPath": "/none"}),),
    "a mount at the root": (put(f"{_C}.volumeMounts.0.mountPath", "/"),),
    "a mount at /dev/": (put(f"{_C}.volumeMounts.0.mountPath", "/dev/"),),
    "a relative mount": (put(f"{_C}.volumeMounts.0.mountPath", "tmp"),),
    "a mount nowhere": (put(f"{_C}.volumeMounts.0.mountPath", ""),),
    "a mount by an expression": (put(f"{_C}.volumeMounts.0.subPathExpr", "$(MODE)"),),
    "a claim that is read-only and mounted to be written to": (
        put(
            "spec.template.spec.volumes.1",
            {"name": "settings", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
        ),
        put(f"{_C}.volumeMounts.1.readOnly", DELETE),
    ),
    "two mounts at one place": (put(f"{_C}.volumeMounts.0.mountPath", "/settings/"),),
    "mount propagation": (put(f"{_C}.volumeMounts.0.mountPropagation", "HostToContainer"),),
    # the container
    "no image": (put(f"{_C}.image", ""),),
    "an image of one character": (put(f"{_C}.image", "x:1"),),
    "an image with a capital": (put(f"{_C}.image", "registry.test/Shop:1"),),
    "an image with a short digest": (put(f"{_C}.image", "registry.test/shop@sha256:abc"),),
    "an image with a bad tag": (put(f"{_C}.image", "registry.test/shop:a b"),),
    "Knative's own container": (put(f"{_C}.name", "queue-proxy"),),
    "two ports": (put(f"{_C}.ports.1", {"containerPort": 8081}),),
    "port 8012": (put(f"{_C}.ports.0.containerPort", 8012),),
    "port 9090": (put(f"{_C}.ports.0.containerPort", 9090),),
    "port 65536": (put(f"{_C}.ports.0.containerPort", 65536),),
    "a port as text": (put(f"{_C}.ports.0.containerPort", "8080"),),
    "a port by UDP": (put(f"{_C}.ports.0.protocol", "UDP"),),
    "a port called http": (put(f"{_C}.ports.0.name", "http"),),
    "a port of the host": (put(f"{_C}.ports.0.hostPort", 8080),),
    "PORT": (put(f"{_C}.env.1", {"name": "PORT", "value": "1"}),),
    "K_SERVICE": (put(f"{_C}.env.1", {"name": "K_SERVICE", "value": "x"}),),
    "a variable without a name": (put(f"{_C}.env.1", {"name": "", "value": "x"}),),
    "a variable from a field": (
        put(f"{_C}.env.1", {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
    ),
    "a variable with a number": (put(f"{_C}.env.0.value", 1),),
    "a variable with an unknown member": (put(f"{_C}.env.1", {"name": "A", "value": "x", "nonsense": "y"}),),
    "variables from nothing": (put(f"{_C}.envFrom", [{"prefix": "A_"}]),),
    "a lifecycle": (put(f"{_C}.lifecycle", {"preStop": {"exec": {"command": ["true"]}}}),),
    "a terminal": (put(f"{_C}.tty", True),),
    "another message policy": (put(f"{_C}.terminationMessagePolicy", "Never"),),
    "a claim on a device": (put(f"{_C}.resources.claims", [{"name": "gpu"}]),),
    # probes
    "readiness by another port's name": (put(f"{_C}.readinessProbe.httpGet.port", "metrics"),),
    "liveness in two ways": (put(f"{_C}.livenessProbe.tcpSocket", {"port": 8080}),),
    "liveness in no way": (put(f"{_C}.livenessProbe.httpGet", DELETE),),
    "liveness with an unknown member": (put(f"{_C}.livenessProbe.nonsense", "x"),),
    "liveness with a period as text": (put(f"{_C}.livenessProbe.periodSeconds", "1"),),
    "readiness with Knative's own period and a timeout": (put(f"{_C}.readinessProbe.periodSeconds", 0),),
    "readiness with a timeout below 0": (put(f"{_C}.readinessProbe.timeoutSeconds", -1),),
    "readiness with a delay below 0": (put(f"{_C}.readinessProbe.initialDelaySeconds", -1),),
    # security
    "a privileged container": (put(f"{_C}.securityContext.privileged", True),),
    "a capability": (put(f"{_C}.securityContext.capabilities.add", ["NET_BIND_SERVICE"]),),
    "a user below 0": (put(f"{_C}.securityContext.runAsUser", -1),),
    "a user by name": (put(f"{_C}.securityContext.runAsUser", "shop"),),
    "a group beyond 31 bits": (put(f"{_C}.securityContext.runAsGroup", 2**31),),
    "SELinux options": (put(f"{_C}.securityContext.seLinuxOptions", {"level": "s0"}),),
}  # fmt: skip

TAKEN: dict[str, tuple[Change, ...]] = {
    "as it is": (),
    "without traffic": (put("spec.traffic", DELETE),),
    "whatever is the newest": (put("spec.traffic", [{"latestRevision": True, "percent": 100}]),),
    "a revision that is not there yet": (put(f"{_T}.0.revisionName", "shop-17"),),
    "a tag of 63 characters": (put(f"{_T}.0.tag", "n" * 63),),
    "a tag without traffic": (put(f"{_T}.1", {"revisionName": "shop-2", "percent": 0, "tag": "n2"}),),
    "a template without a name": (put("spec.template.metadata.name", DELETE),),
    "min-scale 0": (put(f"{_A}/min-scale", "0"),),
    "max-scale 0": (put(f"{_A}/max-scale", "0"),),
    "min-scale with a plus": (put(f"{_A}/min-scale", "+1"),),
    "the annotation's old name": (put(f"{_A}/minScale", "2"), put(f"{_A}/min-scale", DELETE)),
    "activation-scale 2": (put(f"{_A}/activation-scale", "2"),),
    "a class of somebody else": (put(f"{_A}/class", "mine.example.com"), put(f"{_A}/metric", "queue")),
    "hpa by cpu": (put(f"{_A}/class", "hpa.autoscaling.knative.dev"), put(f"{_A}/metric", "cpu")),
    "a burst of -1": (put(f"{_A}/target-burst-capacity", "-1"),),
    "a window of an hour": (put(f"{_A}/window", "1h"),),
    "a window of 90 seconds in two parts": (put(f"{_A}/window", "1m30s"),),
    "a retention of half a second": (put(f"{_A}/scale-to-zero-pod-retention-period", "500ms"),),
    "a fraction as a target": (put(f"{_A}/target", "0.5"),),
    "an annotation of somebody else": (put("spec.template.metadata.annotations.example~com/x", "y"),),
    "another progress deadline": (
        put("spec.template.metadata.annotations.serving~knative~dev/progress-deadline", "1h0m5s"),
    ),
    "not collected by Knative": (put("spec.template.metadata.annotations.serving~knative~dev/no-gc", "true"),),
    "amounts of the sidecar": (
        put(f"{_Q}/cpu-resource-request", "0.1"),
        put(f"{_Q}/memory-resource-limit", "1e8"),
        put(f"{_Q}/ephemeral-storage-resource-request", "64Mi"),
    ),
    "an amount of the sidecar that nobody knows": (put(f"{_Q}/gpu-resource-request", "lots"),),
    "an httpOption": (put(f"{_N}/httpOption", "Redirected"),),
    "an http-protocol": (put(f"{_N}/http-protocol", "Redirected"),),
    "h2c": (put(f"{_C}.ports.0.name", "h2c"),),
    "no port": (put(f"{_C}.ports", DELETE),),
    "port 0": (put(f"{_C}.ports.0.containerPort", 0),),
    "an image by tag": (put(f"{_C}.image", "registry.test/shop:1"),),
    "an image of this machine": (put(f"{_C}.image", "127.0.0.1:5000/shop:1"),),
    "an image without a host": (put(f"{_C}.image", "shop"),),
    "unlimited concurrency": (put("spec.template.spec.containerConcurrency", 0),),
    "a request of ten minutes": (put("spec.template.spec.timeoutSeconds", 600),),
    "pull secrets": (put("spec.template.spec.imagePullSecrets", [{"name": "pull"}]),),
    "readiness in Knative's own way": (put(f"{_C}.readinessProbe", {"httpGet": {"path": "/"}, "successThreshold": 1}),),
    "readiness without a question": (put(f"{_C}.readinessProbe.httpGet", DELETE),),
    "readiness by the port's name": (put(f"{_C}.readinessProbe.httpGet.port", "http"),),
    "a secret as a variable": (
        put(f"{_C}.env.1", {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}}}),
    ),
    "secrets in one file each": (
        put(
            "spec.template.spec.volumes.1",
            {
                "name": "settings",
                "projected": {"sources": [{"secret": {"name": "s", "items": [{"key": "k", "path": "K"}]}}]},
            },
        ),
        put(f"{_C}.volumeMounts.1.mountPath", "/run/secrets/K"),
        put(f"{_C}.volumeMounts.1.subPath", "K"),
    ),
    "a mount that does not say read-only": (put(f"{_C}.volumeMounts.1.readOnly", DELETE),),
    "privileged said to be false": (put(f"{_C}.securityContext.privileged", False),),
    "a GPU": (put(f"{_C}.resources.limits.nvidia~com/gpu", "1"),),
    "a sidecar": (
        put(f"{_C}.name", "app"),
        put("spec.template.spec.containers.1", {"name": "side", "image": "registry.test/side:1"}),
    ),
}  # fmt: skip


def changed(manifest: Manifest, changes: tuple[Change, ...]) -> Manifest:
    """A copy of the manifest with these done to it."""
    made = copy.deepcopy(manifest)
    for change in changes:
        change(made)
    return made


def all_cases() -> Iterator[tuple[str, tuple[Change, ...], bool]]:
    """Name, changes, and whether it is taken."""
    yield from ((name, changes, False) for name, changes in REFUSED.items())
    yield from ((name, changes, True) for name, changes in TAKEN.items())
