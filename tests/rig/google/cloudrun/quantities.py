"""Kubernetes quantities, as far as Cloud Run takes them."""

from __future__ import annotations

import re

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def cores(text: str) -> float | None:
    """CPUs: "1", "0.5", "1500m"; None when it is none of these."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", text)
    if found is None:
        return None
    return float(found.group(1)) / (1000 if found.group(2) else 1)


def bytes_of(text: str) -> int | None:
    """Memory: "512Mi", "1G", "1073741824"; None when it is none of these."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(k|M|G|Ki|Mi|Gi)?", text)
    if found is None:
        return None
    return int(float(found.group(1)) * _UNITS[found.group(2) or ""])
