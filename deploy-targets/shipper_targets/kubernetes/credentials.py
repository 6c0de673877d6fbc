"""Credential plugins of a kubeconfig (`exec`): run with a deadline, and what they say read strictly.

The client's own runner has no deadline, does not know when a plugin is missing, and goes on without credentials when
one fails. Source: the client.authentication.k8s.io/v1 ExecCredential API.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shipper.errors import UnreachableError, UsageError
from shipper.model.context import Cancellation
from shipper.model.json_text import parse_json
from shipper.processes import TimedOut, run
from shipper.targets import Denied
from shipper_targets.kubernetes.kube_errors import one_line

DEADLINE = 30.0
"""Seconds for a plugin: a single sign-on that is still valid takes one or two."""

_API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class Silent(Denied):
    """A plugin that said nothing until its deadline."""


@dataclass(frozen=True)
class Credential:
    """A token, or a certificate with its key (PEM), and when it ends (unix seconds)."""

    token: str = ""
    certificate: str = ""
    key: str = ""
    expires: float | None = None


def ask_plugin(
    plugin: Mapping[str, Any], cluster: Mapping[str, Any], context: str, cancel: Cancellation | None = None
) -> Credential:
    """Run the plugin of a user's `exec` entry. Raises Denied, with its name, whatever goes wrong; and what `cancel`
    raises, when that comes while it runs. Whoever asks afterwards puts something back: the time that is left is his.
    """
    command = str(plugin.get("command") or "")
    version = str(plugin.get("apiVersion") or "")
    who = f"context {context}: the credential plugin {command or '(no command)'}"
    if version not in _API_VERSIONS:
        raise Denied(f"{who} wants apiVersion {version or '(none)'}; {' or '.join(_API_VERSIONS)} is spoken here")
    if plugin.get("interactiveMode") == "Always":
        raise Denied(f"{who} has to ask somebody (interactiveMode: Always), and nobody is asked here")
    if shutil.which(command) is None:
        advice = one_line(plugin.get("installHint") or "install it, or set PATH")
        raise Denied(f"{who} is not installed ({advice})")
    putting_back = cancel is not None and cancel.cancelled
    left = cancel.remaining if cancel is not None else None
    try:
        finished = run(
            [command, *_arguments(plugin)],
            env=_environment(plugin, cluster, version),
            timeout=DEADLINE if left is None else min(DEADLINE, left),
            cancel=None if putting_back else cancel,
        )
    except TimedOut as error:
        raise Silent(f"{who} gave no credentials: {error.message}") from error
    except (UsageError, UnreachableError) as error:
        raise Denied(f"{who} gave no credentials: {error.message}") from error
    if not finished.ok:
        words = one_line(finished.stderr or "it said nothing")
        raise Denied(f"{who} ended with status {finished.returncode}: {words}")
    return _credential(who, version, finished.stdout)


def _arguments(plugin: Mapping[str, Any]) -> list[str]:
    return [str(argument) for argument in plugin.get("args") or ()]


def _environment(plugin: Mapping[str, Any], cluster: Mapping[str, Any], version: str) -> dict[str, str]:
    """Everything of ours, as kubectl gives it: this program is named by the user's own file to hold credentials."""
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = _cluster_info(cluster)
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    named = {str(one["name"]): str(one["value"]) for one in plugin.get("env") or () if "name" in one and "value" in one}
    return {**os.environ, **named, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _cluster_info(cluster: Mapping[str, Any]) -> dict[str, Any]:
    names = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
    info = {name: cluster[name] for name in names if name in cluster}
    for extension in cluster.get("extensions") or ():
        if extension.get("name") == "client.authentication.k8s.io/exec":
            info["config"] = extension.get("extension")
    return info


def _credential(who: str, version: str, output: str) -> Credential:
    try:
        told = parse_json(output)
        status = told["status"]
        found = Credential(
            token=str(status.get("token") or ""),
            certificate=str(status.get("clientCertificateData") or ""),
            key=str(status.get("clientKeyData") or ""),
            expires=_seconds(status.get("expirationTimestamp")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Denied(f"{who} did not answer with an ExecCredential: {one_line(error)}") from error
    if told.get("apiVersion") != version:
        raise Denied(f"{who} answered with apiVersion {told.get('apiVersion')}, not {version}")
    if not found.token and not (found.certificate and found.key):
        raise Denied(f"{who} gave neither a token nor a certificate with its key")
    return found


def _seconds(text: object) -> float | None:
    if not text:
        return None
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
