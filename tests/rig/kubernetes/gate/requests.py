"""What a request to the API server is about, in the words of RBAC. Pure.

After k8s.io/apiserver/pkg/endpoints/request/requestinfo.go: verbs, names and namespaces are what an authorizer sees.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_WRITES = ("create", "update", "patch", "delete", "deletecollection")
_OF_NAMESPACES = ("status", "finalize")
_CONNECTIONS = ("proxy", "exec", "attach", "portforward")
"""Subresources that are ways to a pod: nothing is stored."""
_QUESTIONS = ("authorization.k8s.io", "authentication.k8s.io")
"""Groups whose objects are questions: a create is answered and forgotten."""
_NAME = re.compile(r"^metadata:\n(?:[ ].*\n)*?  (?:generateName|name): ['\"]?([^'\"\s]+)", re.M)


@dataclass(frozen=True)
class Request:
    """One request about a resource. `namespace` is "" for what has none; a namespace itself is in its own."""

    verb: str
    resource: str
    group: str
    subresource: str
    namespace: str
    name: str
    """Of a create, what its body says: RBAC knows no name there. A generateName ends with "-"."""
    dry_run: bool = False
    watch: bool = False
    resource_version: str = ""
    field_manager: str = ""
    user_agent: str = ""

    @property
    def is_write(self) -> bool:
        """Whether something may be stored."""
        if self.verb not in _WRITES or self.dry_run or self.subresource in _CONNECTIONS or self.group in _QUESTIONS:
            return False
        return (self.resource, self.subresource) != ("serviceaccounts", "token")

    @property
    def kind(self) -> str:
        """Such as "deployments", "deployments/status"."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def qualified(self) -> str:
        """Such as "deployments.apps", "deployments.apps/status"; the core group has no name."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{resource}/{self.subresource}" if self.subresource else resource

    def matches(self, verb: str, resource: str, name: str) -> bool:
        """ "*" is any; the verb "write" any write; a resource as `kind` or `qualified` say it."""
        right_verb = verb in ("*", self.verb) or (verb == "write" and self.is_write)
        return right_verb and resource in ("*", self.kind, self.qualified) and name in ("*", self.name)


def understand(method: str, url: SplitResult, headers: Mapping[str, str], body: bytes | None) -> Request | None:
    """None for what is about no resource: health, discovery, schemas. `headers` by lower-case names."""
    words = [unquote(word) for word in url.path.split("/") if word]
    group, rest = _group(words)
    if method not in _VERBS or not rest:
        return None
    query = parse_qs(url.query)
    old_watch = rest[0] == "watch"
    namespace, parts = _namespace(rest[1:] if old_watch else rest)
    if not parts:
        return None
    resource, name, subresource = (*parts[:3], "", "", "")[:3]
    content = _content(headers, body)
    watch = old_watch or _first(query, "watch") in ("true", "1")
    return Request(
        verb=_verb(method, name, watch=watch),
        resource=resource,
        group=group,
        subresource=subresource,
        namespace=namespace,
        name=name or (_name_in(content, body) if method == "POST" else ""),
        dry_run="All" in query.get("dryRun", []) or (method == "DELETE" and "All" in (content.get("dryRun") or [])),
        watch=watch,
        resource_version=_first(query, "resourceVersion"),
        field_manager=_first(query, "fieldManager"),
        user_agent=headers.get("user-agent", ""),
    )


def _verb(method: str, name: str, *, watch: bool) -> str:
    verb = _VERBS[method]
    if name or verb not in ("get", "delete"):
        return "watch" if verb == "get" and watch else verb
    if verb == "delete":
        return "deletecollection"
    return "watch" if watch else "list"


def _group(words: list[str]) -> tuple[str, list[str]]:
    """The group and what comes after the version: nothing, for discovery."""
    if words[:1] == ["api"]:
        return "", words[2:]
    if words[:1] == ["apis"] and len(words) > 1:
        return words[1], words[3:]
    return "", []


def _namespace(words: list[str]) -> tuple[str, list[str]]:
    if words[0] != "namespaces" or len(words) == 1:
        return "", words
    if len(words) == 2 or words[2] in _OF_NAMESPACES:
        return words[1], words
    return words[1], words[2:]


def _content(headers: Mapping[str, str], body: bytes | None) -> dict[str, Any]:
    """A JSON body; {} for another."""
    if not body or "json" not in headers.get("content-type", "json"):
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _name_in(content: dict[str, Any], body: bytes | None) -> str:
    metadata = content.get("metadata")
    if isinstance(metadata, dict):
        return str(metadata.get("name") or metadata.get("generateName") or "")
    found = _NAME.search((body or b"").decode(errors="replace"))
    return found[1] if found else ""


def _first(query: dict[str, list[str]], name: str) -> str:
    return query.get(name, [""])[0]
