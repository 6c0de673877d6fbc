"""LogEntry, in its JSON form, of what Cloud Run writes about a revision: https://cloud.google.com/run/docs/logging."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

from tests.rig.google.cloudrun.contract import LogLine
from tests.rig.google.cloudrun.names import service_name, short
from tests.rig.google.cloudrun.request_log import Exchange


def of_line(revision: str, line: LogLine) -> dict[str, Any]:
    """What a container printed."""
    common = _common(revision, line.stream, line.at, f"{line.at} {line.stream} {line.text}")
    return {**common, "textPayload": line.text}


def of_request(revision: str, exchange: Exchange) -> dict[str, Any]:
    """The platform's own line of a request: it has no payload, only `httpRequest`."""
    severity = "ERROR" if exchange.status >= 500 else "WARNING" if exchange.status >= 400 else "INFO"
    shown = {
        "requestMethod": exchange.method,
        "requestUrl": exchange.url,
        "status": exchange.status,
        "userAgent": exchange.user_agent,
        "remoteIp": exchange.caller,
        "latency": f"{exchange.seconds:.9f}s",
        "protocol": "HTTP/1.1",
    }
    common = _common(revision, "requests", exchange.at, repr(exchange))
    return {**common, "severity": severity, "httpRequest": shown}


def _common(revision: str, log: str, at: float, identity: str) -> dict[str, Any]:
    service = service_name(revision.partition("/revisions/")[0])
    time = datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    labels = {
        "project_id": service.project,
        "location": service.location,
        "service_name": service.service,
        "configuration_name": service.service,
        "revision_name": short(revision),
    }
    return {
        "logName": f"projects/{service.project}/logs/run.googleapis.com%2F{log}",
        "resource": {"type": "cloud_run_revision", "labels": labels},
        "timestamp": time,
        "receiveTimestamp": time,
        "insertId": hashlib.sha256(identity.encode()).hexdigest()[:16],
    }
