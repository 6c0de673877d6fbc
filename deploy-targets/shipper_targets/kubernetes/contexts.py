"""Which cluster, and as whom: kubeconfig files read as kubectl does, but for the context, which is always named.

The current context of a machine is never used: it is what somebody last looked at, not where a service belongs.
Only this file and PyYAML are needed to say which contexts there are; the client's library is not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from shipper.targets import Denied, UsageError
from shipper_targets.kubernetes.settings import KubernetesSettings

_DEFAULT = "~/.kube/config"
_LISTS = ("contexts", "clusters", "users")
_IN_HEADERS = "!#$&'*+-.^_`|~"
"""What else than letters and digits may be in a header's name (RFC 9110, 5.1)."""

_PATHS = {"clusters": ("certificate-authority",), "users": ("client-certificate", "client-key", "tokenFile")}


def require_context(own: KubernetesSettings) -> None:
    """Raises UsageError when it is not said which cluster is meant; the message lists the contexts that there are."""
    if own.context is None and not own.in_cluster:
        raise _no_context("no context is configured for this target", own)


def minimal(own: KubernetesSettings) -> dict[str, Any]:
    """The named context alone, with its cluster and its user, all paths absolute: a kubeconfig with one of each.

    Raises UsageError for a context that is not there, Denied for files that cannot be used.
    """
    require_context(own)
    merged = _merged(own)
    context = merged["contexts"].get(own.context or "")
    if context is None:
        raise _no_context(f"there is no context {own.context}", own)
    cluster_name, user_name = str(context.get("cluster") or ""), str(context.get("user") or "")
    cluster = merged["clusters"].get(cluster_name)
    if cluster is None or not cluster.get("server"):
        raise Denied(f"context {own.context}: there is no cluster {cluster_name!r} with a server in {_shown(own)}")
    user = merged["users"].get(user_name)
    if user is None and user_name:
        raise Denied(f"context {own.context}: there is no user {user_name!r} in {_shown(own)}")
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": own.context,
        "contexts": [{"name": own.context, "context": {"cluster": cluster_name, "user": user_name}}],
        "clusters": [{"name": cluster_name, "cluster": cluster}],
        "users": [{"name": user_name, "user": user or {}}],
    }


def impersonated(user: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers that ask for what another user may, as kubectl sends them: for `as` of a kubeconfig's user.

    Raises ValueError for what is not as kubectl would take it. Source: client-go, transport/round_trippers.go.
    """
    if not user.get("as"):
        if alone := sorted({"as-uid", "as-groups", "as-user-extra"} & {key for key in user if user[key]}):
            raise ValueError(f"{' and '.join(alone)} without as: kubectl refuses that too")
        return []
    groups, extra = user.get("as-groups") or [], user.get("as-user-extra") or {}
    if not isinstance(groups, list) or not isinstance(extra, Mapping):
        raise ValueError("as-groups has to be a list, and as-user-extra a mapping")
    found = [("Impersonate-User", user["as"]), *(("Impersonate-Group", one) for one in groups)]
    if user.get("as-uid"):
        found.append(("Impersonate-Uid", user["as-uid"]))
    for name, values in extra.items():
        if not isinstance(values, list):
            raise ValueError(f"as-user-extra {name} has to be a list")
        found += [(f"Impersonate-Extra-{quote(str(name), safe=_IN_HEADERS)}", one) for one in values]
    for header, value in found:
        if not isinstance(value, str) or not value.isprintable():
            raise ValueError(f"{header} has to be printable text")
    # Headers are bytes: UTF-8, as Go has it.
    return [(header, value.encode().decode("latin-1")) for header, value in found]


def contexts(own: KubernetesSettings) -> list[str]:
    """The names of all contexts, sorted. Raises Denied for a file that cannot be read."""
    return sorted(_merged(own)["contexts"])


def placed(kubeconfig: str | None, root: str) -> str | None:
    """The configured kubeconfig file, relative to the directory of shipper.toml; None stays None."""
    return str(Path(root, _path(kubeconfig))) if kubeconfig is not None else None


def _path(text: str) -> Path:
    """With `~` as whose home it is; as it is written where nobody has that name, and then it is not there."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def from_here(place: dict[str, Any]) -> dict[str, Any]:
    """A place as it was typed: its kubeconfig is relative to where we are, whatever is recorded there."""
    kubeconfig = place.get("kubeconfig")
    return {**place, "kubeconfig": placed(kubeconfig, str(Path.cwd()))} if isinstance(kubeconfig, str) else place


def files(own: KubernetesSettings) -> list[Path]:
    """The kubeconfig files, first one first: the configured one, else those of KUBECONFIG, else the user's own."""
    if own.kubeconfig is not None:
        return [_path(own.kubeconfig)]
    listed = [_path(name) for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    return listed or [_path(_DEFAULT)]


def _merged(own: KubernetesSettings) -> dict[str, dict[str, dict[str, Any]]]:
    """List name -> entry name -> entry. The first file that has a name wins, as in kubectl."""
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in _LISTS}
    for path in files(own):
        # kubectl skips files of KUBECONFIG that are not there; one that is named on its own has to be.
        if not path.exists() and own.kubeconfig is None:
            continue
        for name, entries in _entries(path).items():
            for key, entry in entries.items():
                found[name].setdefault(key, entry)
    return found


def _entries(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise Denied(f"the kubeconfig {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise Denied(f"the kubeconfig {path} is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise Denied(f"the kubeconfig {path} is not a mapping")
    return {name: _named(path, name, content.get(name) or []) for name in _LISTS}


def _named(path: Path, name: str, items: Sequence[Any]) -> dict[str, dict[str, Any]]:
    single = name.removesuffix("s")
    entries: dict[str, dict[str, Any]] = {}
    for item in items if isinstance(items, list) else [items]:
        if not isinstance(item, Mapping) or not isinstance(item.get(single) or {}, Mapping) or "name" not in item:
            raise Denied(f"the kubeconfig {path}: {name} must have entries with name and {single}")
        entries.setdefault(str(item["name"]), _absolute(path, name, dict(item.get(single) or {})))
    return entries


def _absolute(path: Path, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Relative paths in a kubeconfig are relative to the file that they are in."""
    folder = path.resolve().parent
    for key in _PATHS.get(name, ()):
        if entry.get(key):
            entry[key] = str(folder / str(entry[key]))
    plugin = entry.get("exec")
    if isinstance(plugin, dict) and os.sep in str(plugin.get("command", "")):
        entry["exec"] = {**plugin, "command": str(folder / str(plugin["command"]))}
    return entry


def _no_context(what: str, own: KubernetesSettings) -> UsageError:
    try:
        known = contexts(own)
    except Denied as error:
        return UsageError(what, hint='set context = "…" in the target\'s settings', details=(str(error),))
    listed = f"there are: {', '.join(known)}" if known else f"there is none in {_shown(own)}"
    return UsageError(what, hint=f'set context = "…" in the target\'s settings; {listed}')


def _shown(own: KubernetesSettings) -> str:
    return ", ".join(str(path) for path in files(own))
