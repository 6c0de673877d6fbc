"""Probes: the ranges in the description of google.cloud.run_v2.Probe and of run/docs/configuring/healthchecks."""

from __future__ import annotations

from collections.abc import Iterator

from google.cloud import run_v2


def probe_violations(path: str, kind: str, probe: run_v2.Probe) -> Iterator[tuple[str, str]]:
    """`probe` has its defaults filled in."""
    kinds = [name for name in ("http_get", "tcp_socket", "grpc") if name in probe]
    if len(kinds) != 1:
        yield path, "exactly one of http_get, tcp_socket and grpc must be specified"
    # healthchecks, "Liveness probe ... TCP is not supported": liveness and readiness take http_get and grpc.
    if kind != "startup_probe" and "tcp_socket" in probe:
        yield f"{path}.tcp_socket", "is supported for startup probes only"
    longest = 240 if kind == "startup_probe" else 3600
    if not 0 <= probe.initial_delay_seconds <= longest:
        yield f"{path}.initial_delay_seconds", f"must be between 0 and {longest}"
    if not 1 <= probe.period_seconds <= longest:
        yield f"{path}.period_seconds", f"must be between 1 and {longest}"
    if not 1 <= probe.timeout_seconds <= 3600 or probe.timeout_seconds > probe.period_seconds:
        yield f"{path}.timeout_seconds", "must be between 1 and 3600 and not more than period_seconds"
    if probe.failure_threshold < 1:
        yield f"{path}.failure_threshold", "must be at least 1"
    # healthchecks: a startup probe's failureThreshold times periodSeconds must not exceed 240 seconds.
    if kind == "startup_probe" and probe.failure_threshold * probe.period_seconds > 240:
        yield path, "failure_threshold times period_seconds must not be more than 240"
    if "http_get" in probe and not probe.http_get.path.startswith("/"):
        yield f"{path}.http_get.path", "must start with /"
    for name in kinds:
        if not 1 <= getattr(probe, name).port <= 65535:
            yield f"{path}.{name}.port", "must be between 1 and 65535"
