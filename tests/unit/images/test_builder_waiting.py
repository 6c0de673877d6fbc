"""Waiting for a builder in a cluster: a signal does not wait for what the cluster's credentials take."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from shipper.errors import Interrupted
from shipper.images import builder_ready
from shipper.images.builder import Instance
from shipper.images.builder_failure import WAITING
from shipper.images.builder_pods import Reason, Where
from shipper.pipeline.cancellation import RunCancellation, interrupted

pytestmark = pytest.mark.unit

INSTANCE = Instance(
    name="shipper-1",
    node="shipper-2",
    driver="kubernetes",
    place="namespace builds of prod",
    patience=300.0,
    where=Where(context="prod", kubeconfig="config", namespace="builds", deployment="shipper-2"),
)


def test_a_cluster_that_does_not_answer_does_not_keep_a_signal_waiting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def never(where: Where) -> Reason | None:
        asked.set()
        answered.wait(30.0)
        return None

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(builder_ready, "why_not_ready", never)
    monkeypatch.setattr(builder_ready._Buildx, "_bootstrap", lambda self, patience: (False, WAITING))
    cancel = RunCancellation()

    def interrupts() -> None:
        asked.wait(30.0)
        cancel.cancel(interrupted())

    threading.Thread(target=interrupts).start()
    try:
        with pytest.raises(Interrupted):
            builder_ready._Buildx(INSTANCE, {}, cancel).start(cancel)
        assert not answered.is_set()
    finally:
        answered.set()
