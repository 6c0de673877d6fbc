"""Long-running operations: google.longrunning.Operations on the state's lock."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

from google.longrunning.operations_pb2 import Operation
from google.rpc.status_pb2 import Status

from tests.rig.google.cloudrun.errors import CODES, ApiError


class Operations:
    """All operations by name. Every change happens under the state's lock; `done` wakes those who wait."""

    def __init__(self, lock: threading.RLock) -> None:
        self._all: dict[str, Operation] = {}
        self._changed = threading.Condition(lock)

    def start(self, parent: str, subject: Any) -> Operation:
        """A new operation; `subject` (a message) is its metadata. `parent` is `projects/P/locations/L`."""
        operation = Operation(name=f"{parent}/operations/{uuid.uuid4()}")
        operation.metadata.Pack(subject)
        with self._changed:
            self._all[operation.name] = operation
        return operation

    def succeed(self, operation: Operation, subject: Any) -> None:
        with self._changed:
            operation.metadata.Pack(subject)
            operation.response.Pack(subject)
            operation.done = True
            self._changed.notify_all()

    def fail(self, operation: Operation, subject: Any, code: str, message: str) -> None:
        with self._changed:
            operation.metadata.Pack(subject)
            operation.error.CopyFrom(Status(code=CODES[code][0], message=message))
            operation.done = True
            self._changed.notify_all()

    def get(self, name: str) -> Operation:
        """A copy."""
        with self._changed:
            if name not in self._all:
                raise ApiError("NOT_FOUND", f"Operation '{name}' was not found.")
            copied = Operation()
            copied.CopyFrom(self._all[name])
            return copied

    def has(self, name: str) -> bool:
        with self._changed:
            return name in self._all

    def wait(self, name: str, seconds: float) -> Operation:
        """The operation once it is done, or as it is after `seconds` (WaitOperation: never an error for that)."""
        until = time.monotonic() + seconds
        with self._changed:
            while not self.get(name).done and time.monotonic() < until:
                self._changed.wait(until - time.monotonic())
            return self.get(name)

    def list(self, parent: str) -> list[Operation]:
        with self._changed:
            return [self.get(name) for name in self._all if name.startswith(f"{parent}/operations/")]

    def forget(self, name: str) -> None:
        """DeleteOperation: only the record goes, the work goes on."""
        with self._changed:
            self.get(name)
            del self._all[name]

    def forget_all(self, project: str) -> None:
        with self._changed:
            for name in [name for name in self._all if name.startswith(f"projects/{project}/")]:
                del self._all[name]
