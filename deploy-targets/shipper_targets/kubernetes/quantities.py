"""Amounts as Kubernetes writes them, in its canonical form: what is sent is what comes back. Pure.

Source: apimachinery's pkg/api/resource: the largest suffix that leaves a whole number.
"""

from __future__ import annotations

import math

_BINARY = (("Ei", 2**60), ("Pi", 2**50), ("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))
_DECIMAL = (("E", 10**18), ("P", 10**15), ("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3))


def show_memory(size: int) -> str:
    """Bytes: "512Mi", "1Gi", "500M"."""
    suffixes = _BINARY if size % 1024 == 0 else _DECIMAL
    return next((f"{size // unit}{suffix}" for suffix, unit in suffixes if size % unit == 0), str(size))


def show_cpu(cores: float) -> str:
    """Cores: "2", "500m"; at least a thousandth."""
    thousandths = max(1, round(cores * 1000))
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def seconds_of(duration: float) -> int:
    """Whole seconds, rounded up, at least one: probes and deadlines know no less."""
    return max(1, math.ceil(duration))
