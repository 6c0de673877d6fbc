"""Manifests as YAML text: the same bytes for the same manifests, and read back alike by every reader. Pure.

PyYAML, Go's readers and YAML 1.1 and 1.2 disagree on which plain words are numbers, dates or truth values: so only text
that is a word to all of them is written plain, all other text in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from shipper_targets.kubernetes.manifest import Manifest

_FIRST = ("apiVersion", "kind", "metadata", "name", "namespace", "labels", "annotations")
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@+-]*(?::[A-Za-z0-9_./@+-]+)*|[0-9]+(?:[KMGTP]i|m|%)")
_WORDS = frozenset("y yes n no on off true false null nan inf".split())  # noqa: SIM905 - reads better so


def manifest_text(manifest: Manifest) -> str:
    """One YAML document, without separator."""
    return yaml_text(manifest.body)


def yaml_text(value: Mapping[str, Any]) -> str:
    """Any JSON object as YAML: what a person looks for first comes first, other keys in the order of the alphabet."""
    return yaml.dump(
        _ordered(value),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=2**31 - 1,
    )


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _ordered(value[key]) for key in sorted(value, key=_place)}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    return value


def _place(key: str) -> tuple[int, str]:
    return (_FIRST.index(key), "") if key in _FIRST else (len(_FIRST), key)


class _Dumper(yaml.SafeDumper):
    """Without aliases, which nobody expects in a manifest."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never an alias."""
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return None
    lines = text.split("\n")
    return "|" if len(lines) > 1 and _is_block(lines) else '"'


def _is_block(lines: list[str]) -> bool:
    """Whether text can stand as it is: nothing that a reader would trim or a terminal would hide."""
    return bool(lines[0][:1].strip()) and all(line.isprintable() and line == line.rstrip() for line in lines)


_Dumper.add_representer(str, _text_node)
