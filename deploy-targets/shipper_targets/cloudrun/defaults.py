"""What Cloud Run fills in where a template says nothing: these values are nobody's wish. Pure.

Sources: the field descriptions of google.cloud.run_v2 (0.16.2), and run/docs/configuring/{request-timeout,
memory-limits,services/cpu,healthchecks,services/containers}. Which execution environment is chosen is not documented:
neither is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_CONTAINER = r"template\.containers\.0\."
_PROBE = _CONTAINER + r"(startup|liveness|readiness)_probe\."
_DEFAULTS = {
    re.compile(path): re.compile(value)
    for path, value in {
        r"template\.timeout": r"300s",
        r"template\.max_instance_request_concurrency": r"80|1",
        r"template\.scaling\.max_instance_count": r"100",
        r"template\.service_account": r"[0-9]+-compute@developer\.gserviceaccount\.com",
        r"template\.execution_environment": r"EXECUTION_ENVIRONMENT_GEN[12]",
        _CONTAINER + r"(name|base_image_uri)": r".*",
        _CONTAINER + r"ports\.0\.name": r"http1",
        _CONTAINER + r"ports\.0\.container_port": r"8080",
        _CONTAINER + r"resources\.limits\.cpu": r"1|1000m",
        _CONTAINER + r"resources\.limits\.memory": r"512Mi",
        _CONTAINER + r"resources\.(cpu_idle|startup_cpu_boost)": r".*",
        _PROBE + r"timeout_seconds": r"1|240",
        _PROBE + r"period_seconds": r"10|240",
        _PROBE + r"failure_threshold": r"1|3",
        _PROBE + r"(tcp_socket|http_get|grpc)\.port": r".*",
    }.items()
}


def taken_away(ours: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    """Paths of `found` that `ours` does not have and whose value somebody chose."""
    for path, value in found.items():
        if path not in ours and not _is_filled_in(path, value):
            yield path


def _is_filled_in(path: str, value: str) -> bool:
    return any(where.fullmatch(path) and what.fullmatch(value) for where, what in _DEFAULTS.items())
