"""The contestants of benchmarks/kubernetes_peers.py: shipper, kubectl and Helm in one namespace of the rig."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.kubernetes_rollouts import RolloutTime
from benchmarks.platform_time import covered
from benchmarks.release import BenchmarkError
from tests.e2e.machine import own_home
from tests.e2e.projects import to_toml
from tests.rig.api import Rig
from tests.rig.kubernetes.handle import KubeRig
from tests.rig.stores import RunningStore
from tools.venvs import ROOT, installed

OURS, BY_KUBECTL, BY_HELM = "iris-dev", "by-kubectl", "by-helm"
LIMIT = 60
"""Seconds that kubectl and Helm are told to wait at most: without a word it is 10 minutes for a Deployment's progress,
which `kubectl rollout status` reports, and 5 minutes for Helm."""


@dataclass(frozen=True)
class Took:
    """A command that has ended: seconds, and what it said. `own`: without the time in which a rollout was under way."""

    wall: float
    cpu: float
    code: int
    own: float = 0.0
    said: str = field(default="", repr=False)
    errors: str = field(default="", repr=False)

    @property
    def last(self) -> dict[str, Any]:
        """The last line of `--json`."""
        found: dict[str, Any] = json.loads(self.said.strip().splitlines()[-1])
        return found

    @property
    def told(self) -> str:
        """What somebody reads at the end."""
        if self.said.strip().startswith("{"):
            return " | ".join([self.last["message"], *self.last["details"][-2:]])
        return (self.errors.strip() or self.said.strip()).splitlines()[-1]


@dataclass
class Contest:
    """One namespace, with a Deployment of each."""

    folder: Path
    rig: Rig
    hands: KubeRig
    store: RunningStore
    rollouts: RolloutTime
    namespace: str
    kubeconfig: Path
    helm: Path
    shipper: Path
    ledger: str
    runs: int = 0

    @property
    def repository(self) -> str:
        """Where the images are."""
        return f"{self.rig.registry}/{self.namespace}/iris"

    # shipper

    def release(self, *words: str, run: Mapping[str, Any] | None = None, ends: int = 0, **variables: str) -> Took:
        """`shipper release` of the example, with these values in its environment and these keys of [run]."""
        write_settings(self, {**(run or {}), "env": variables})
        command = [str(self.shipper), "release", "-C", str(self.folder / "iris"), "-t", "kubernetes", "--json", *words]
        return self.timed(OURS, command, self.env(self.folder / "home"), ends)

    def rollback(self, number: int, *, ledger: bool) -> Took:
        """`shipper rollback` to a release, from an empty directory of somebody who was never here."""
        self.runs += 1
        (empty := self.folder / f"home-{self.runs}" / "empty").mkdir(parents=True)
        record = self.ledger if ledger else (empty.parent / "ledger").as_uri()
        words = ["rollback", "--service", "iris", "--to", f"#{number}", "--ledger", record, "--json", "-t"]
        place = f"kubernetes://rig/{self.namespace}?address={self.hands.edge_url}"
        took = self.timed(OURS, [str(self.shipper), *words, place], self.env(empty.parent), cwd=empty)
        if not took.last["serves"]["changed"]:
            raise BenchmarkError(f"shipper rollback: {took.last['message']}")
        return took

    # kubectl

    def apply(self, image: str, number: str, command: Sequence[str] = (), ends: int = 0) -> Took:
        """`kubectl apply -f FILE && kubectl rollout status`."""
        file = self.folder / "by-kubectl.json"
        file.write_text(json.dumps(self.manifests(BY_KUBECTL, image, number, command)))
        return self._kubectl_then_status("apply", "-f", str(file), ends=ends)

    def undo(self) -> Took:
        """`kubectl rollout undo && kubectl rollout status`."""
        return self._kubectl_then_status("rollout", "undo", f"deployment/{BY_KUBECTL}")

    def _kubectl_then_status(self, *words: str, ends: int = 0) -> Took:
        kubectl = f"kubectl --context rig --namespace {self.namespace}"
        status = f"{kubectl} rollout status deployment/{BY_KUBECTL} --timeout {LIMIT}s"
        line = f"{kubectl} {' '.join(words)} && exec {status}"
        return self.timed(BY_KUBECTL, ["sh", "-c", line], self.env(self.folder / "home"), ends)

    # Helm

    def upgrade(self, image: str, number: str, command: Sequence[str] = (), ends: int = 0) -> Took:
        """`helm upgrade --install --wait --atomic`."""
        values = self.folder / "values.json"
        values.write_text(json.dumps({"image": image, "round": number, "command": list(command)}))
        words = ["upgrade", "--install", BY_HELM, str(self.folder / "chart"), "-f", str(values)]
        return self._helm(*words, "--wait", "--atomic", "--timeout", f"{LIMIT}s", ends=ends)

    def helm_back(self) -> Took:
        """`helm rollback --wait`, to the revision before."""
        return self._helm("rollback", BY_HELM, "--wait", "--timeout", f"{LIMIT}s")

    def _helm(self, *words: str, ends: int = 0) -> Took:
        place = ["--kube-context", "rig", "--namespace", self.namespace]
        return self.timed(BY_HELM, [str(self.helm), *words, *place], self.env(self.folder / "home"), ends)

    # For all of them

    def timed(
        self, name: str, words: Sequence[str], env: Mapping[str, str], ends: int = 0, cwd: Path | None = None
    ) -> Took:
        """Run to the end; `own` is the wall time in which no rollout of the Deployment `name` was under way.

        `ends`: 0 when it has to end well, 1 when it has to fail. BenchmarkError with its last lines when it does not.
        """
        started = time.perf_counter()
        took = run(words, env, cwd or self.folder)
        if bool(took.code) != bool(ends):
            raise BenchmarkError(f"{Path(words[0]).name} {words[1]} ended with {took.code}:\n{took.told}")
        spans = [(start, min(end, started + took.wall)) for start, end in self.rollouts.spans(name, started)]
        return replace(took, own=took.wall - covered(spans))

    def env(self, home: Path) -> dict[str, str]:
        """What a user of a cluster has in the environment, with a home of its own for each tool."""
        helm = {f"HELM_{kind}_HOME": str(home / f"helm-{kind.lower()}") for kind in ("CACHE", "CONFIG", "DATA")}
        place = {"KUBECONFIG": str(self.kubeconfig)}
        return {**os.environ, **self.rig.env(), **own_home(home), **helm, **place, **self.store.environ}

    def manifests(self, name: str, image: str, number: str, command: Sequence[str]) -> dict[str, Any]:
        """A Deployment with the very pod, strategy and patience that ours has, and a Service."""
        ours = json.loads(self.kubectl("get", "deployment", OURS, "-o", "json"))
        spec = {key: ours["spec"][key] for key in ("replicas", "strategy", "progressDeadlineSeconds")}
        if "minReadySeconds" in ours["spec"]:
            spec["minReadySeconds"] = ours["spec"]["minReadySeconds"]
        pod = copy.deepcopy(ours["spec"]["template"]["spec"])
        for constraint in pod.get("topologySpreadConstraints", ()):
            constraint["labelSelector"] = {"matchLabels": {"app": name}}
        main = pod["containers"][0]
        main["image"] = image
        kept = [one for one in main.get("env", ()) if one["name"] != "ROUND"]
        main["env"] = [*kept, {"name": "ROUND", "value": number}]
        main.pop("command", None)
        main.pop("args", None)
        if command:
            main["args"] = list(command)
        spec |= {"selector": {"matchLabels": {"app": name}}}
        spec |= {"template": {"metadata": {"labels": {"app": name}}, "spec": pod}}
        service = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8000}]}
        items = [
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": service},
        ]
        return {"apiVersion": "v1", "kind": "List", "items": items}

    def kubectl(self, *words: str) -> str:
        """What kubectl prints, to look with."""
        command = ["kubectl", "--context", "rig", "--namespace", self.namespace, *words]
        took = run(command, self.env(self.folder / "home"), self.folder)
        if took.code:
            raise BenchmarkError(f"kubectl {' '.join(words)}: {took.told}")
        return took.said


def run(words: Sequence[str], env: Mapping[str, str], folder: Path) -> Took:
    """To the end. Processor time: user and system, of the process and of all it has waited for (getrusage(2))."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen(words, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, err):
            file.seek(0)
        return Took(wall, used.ru_utime + used.ru_stime, process.returncode, said=out.read(), errors=err.read())


def prepare(
    folder: Path, rig: Rig, hands: KubeRig, store: RunningStore, watched: Callable[[str], RolloutTime], helm: Path
) -> Contest:
    """The example, in a new namespace, whose rollouts are looked at from now on."""
    shutil.copytree(ROOT / "examples" / "iris", folder / "iris", ignore=shutil.ignore_patterns("__pycache__", ".train"))
    namespace = hands.namespace("bench")
    shipper, rollouts = installed() / "shipper", watched(namespace)
    return Contest(folder, rig, hands, store, rollouts, namespace, hands.kubeconfig(), helm, shipper, store.url)


def write_settings(contest: Contest, run_settings: Mapping[str, Any]) -> None:
    """The example's own shipper.toml, with the place and what is changed in [run]."""
    text = (ROOT / "examples" / "iris" / "shipper.toml").read_text()
    text = text.replace("[image]\n", f'[image]\nrepository = "{contest.repository}"\n')
    place = {"kind": "kubernetes", "context": "rig", "namespace": contest.namespace}
    place |= {"address": contest.hands.edge_url, "pre_stop": "1s"}
    ingress = {"ingress": {"host": f"iris.{contest.namespace}.rig.test"}}
    more = to_toml({"targets": {"kubernetes": {**place, **ingress}}, "ledger": {"url": contest.ledger}})
    plain = to_toml({key: value for key, value in run_settings.items() if not isinstance(value, Mapping)})
    tables = to_toml({key: value for key, value in run_settings.items() if isinstance(value, Mapping)}, "run")
    text = text.replace("[run]\n", f"[run]\n{plain}")
    (contest.folder / "iris" / "shipper.toml").write_text(f"{text}\n{more}\n{tables}")


def write_chart(contest: Contest, image: str) -> None:
    """The same manifests as a Helm chart, whose values are image, round and command."""
    templates = contest.folder / "chart" / "templates"
    templates.mkdir(parents=True)
    (templates.parent / "Chart.yaml").write_text("apiVersion: v2\nname: by-helm\nversion: 1.0.0\n")
    marks = {"image": "IMAGE-OF-VALUES", "round": "ROUND-OF-VALUES", "args": "ARGS-OF-VALUES"}
    whole = contest.manifests(BY_HELM, marks["image"], marks["round"], [marks["args"]])
    for item in whole["items"]:
        text = json.dumps(item, indent=2)
        text = text.replace(f'"{marks["image"]}"', "{{ .Values.image | quote }}")
        text = text.replace(f'"{marks["round"]}"', "{{ .Values.round | quote }}")
        text = re.sub(r'\[\s*"ARGS-OF-VALUES"\s*\]', "{{ .Values.command | toJson }}", text)
        (templates / f"{item['kind'].lower()}.yaml").write_text(text + "\n")


def build(contest: Contest, name: str) -> str:
    """Release the example with one line changed; its image's reference."""
    code = contest.folder / "iris" / "app" / "main.py"
    code.write_text(re.sub(r'^VERSION = ".*"$', f'VERSION = "{name} {time.time():.0f}"', code.read_text(), flags=re.M))
    took = contest.release()
    print(f"built and released {name}: {took.wall:.2f} s", flush=True)
    return str(took.last["serves"]["image"])
