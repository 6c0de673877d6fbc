"""Build arguments and ENV values that look like secrets. Their values are never repeated, not even partly.

Arguments and ENV end up in the image's history and configuration, in BuildKit's progress and in scan reports.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from shipper.model import Finding
from shipper.scanning.dockerfile import Assignment, assignments

_WORDS = frozenset({"TOKEN", "SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS"})
_WORDS_TOGETHER = frozenset({"APIKEY", "AUTHTOKEN", "ACCESSTOKEN", "ACCESSKEY", "SECRETKEY", "PRIVATEKEY", "PAT"})
_KEYS = frozenset({"API", "ACCESS", "PRIVATE", "SECRET", "AUTH", "SIGNING", "ENCRYPTION", "MASTER", "LICENSE", "SSH"})
_LAST_WORDS = frozenset({"PASS", "PWD", "PW"})
"""Tell a secret only as the last of several words: DB_PASS, but not PASS_THROUGH and PWD."""

_TELLS_WHERE = frozenset(
    {"FILE", "HEADER", "PATH", "DIR", "URL", "URI", "ENDPOINT", "NAME", "LENGTH", "LIMIT", "COUNT", "TYPE", "TTL"}
)
"""Last words of names that say where or how much, not what: DB_PASSWORD_FILE, TOKEN_URL."""

_VALUES = re.compile(
    r"""(?x)
    gh[pousr]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | glpat-[\w-]{20,} | npm_[A-Za-z0-9]{30,} | pypi-[\w-]{30,}
    | (?:AKIA|ASIA)[A-Z0-9]{16} | AIza[\w-]{30,} | ya29\.[\w-]{20,} | xox[abeoprs]-[\w-]{10,} | hf_[A-Za-z0-9]{20,}
    | sk-[\w-]{20,} | sk_live_\w{16,} | rk_live_\w{16,} | SG\.[\w-]{16,}\.[\w-]{16,} | dckr_pat_[\w-]{20,}
    | dop_v1_[0-9a-f]{40,} | eyJ[\w-]{10,}\.eyJ[\w-]{10,} | -----BEGIN[ A-Z]*PRIVATE\ KEY
    | [a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@$]+@
    """
)
_HARMLESS = re.compile(r"(?i)(?:true|false|yes|no|on|off|none|null|[0-9.]{1,12}|\$\{?\w+.*|<[^<>]*>|\[\w+\])?")
"""Switches, numbers, references, and a tokenizer's own marks: PAD_TOKEN=[PAD]."""

_DEFAULT = re.compile(r"\$\{\w+:?[-+](.*)\}")
_OPAQUE = re.compile(r"[A-Za-z0-9+=]{30,}")
"""Between the separators of paths and names: a model is called meta-llama/Meta-Llama-3-8B-Instruct."""
_ENTROPY = 4.2
"""Bits a character. Random base64 of 32 characters has about 4.6 (measured on a sample); words and paths under 4."""


def suspicious_arguments(build_args: Mapping[str, str], dockerfile: str, name: str) -> tuple[Finding, ...]:
    """Findings of kind "argument": `[image] build_args` first, then ARG and ENV of the Dockerfile's text.

    `name` is what the Dockerfile is called in messages.
    """
    configured = [Assignment("build_args", key, value, 0) for key, value in build_args.items()]
    return tuple(_findings([*configured, *assignments(dockerfile)], name))


def looks_secret(name: str, value: str) -> bool:
    """Whether a variable looks like a secret, by its name or by its value. References ($NAME) and switches do not."""
    if _VALUES.search(value):
        return True
    if default := _DEFAULT.fullmatch(value.strip()):
        return looks_secret(name, default[1])
    if _HARMLESS.fullmatch(value.strip()):
        return False
    return _secret_name(name) or _looks_random(value.strip())


def _findings(found: list[Assignment], dockerfile: str) -> Iterator[Finding]:
    for one in found:
        if looks_secret(one.name, one.value):
            where = f"{dockerfile}:{one.line}" if one.line else "image.build_args"
            yield Finding(
                id="secret-in-argument",
                title=f"{one.keyword} {one.name} looks like a secret; it would be readable in the image's history",
                severity="critical",
                where=f"{one.name} in {where}",
                fix="use [image.secrets] with RUN --mount=type=secret, or [run.secrets] at run time",
                kind="argument",
            )


def _secret_name(name: str) -> bool:
    words = [word.upper() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]
    if not words or words[-1] in _TELLS_WHERE:
        return False
    pairs = itertools.pairwise(words)
    key = any(first in _KEYS and second in ("KEY", "KEYS") for first, second in pairs)
    last = len(words) > 1 and words[-1] in _LAST_WORDS
    return key or last or any(word in _WORDS or word in _WORDS_TOGETHER for word in words)


def _looks_random(value: str) -> bool:
    """Long, of all three kinds of characters, and without the repetitions of words. Digests in hex are not."""
    return not re.match(r"sha[0-9]+[-:]", value) and any(_is_mixed(run) for run in _OPAQUE.findall(value))


def _is_mixed(run: str) -> bool:
    return all(re.search(kind, run) for kind in ("[a-z]", "[A-Z]", "[0-9]")) and _entropy(run) >= _ENTROPY


def _entropy(text: str) -> float:
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())
