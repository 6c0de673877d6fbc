"""A candidate is swept when its owner is gone, and never while it lives."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shipper.smoke.owner import OWNER_LABEL, UNTIL_LABEL, is_orphan, owner_labels

pytestmark = pytest.mark.unit

NOW = 1_800_000_000.0


def test_our_own_candidate_is_no_orphan_however_late_it_is() -> None:
    assert not is_orphan(owner_labels(NOW, 60), NOW)
    assert not is_orphan(owner_labels(NOW, 60), NOW + 10_000)


def test_the_candidate_of_a_process_that_ended_is_an_orphan() -> None:
    script = "from shipper.smoke.owner import owner_labels; print(owner_labels(0, 1)['shipper.smoke'])"
    owner = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert is_orphan({OWNER_LABEL: owner, UNTIL_LABEL: str(int(NOW + 60))}, NOW)


def test_a_process_that_got_the_number_of_the_owner_is_not_the_owner() -> None:
    labels = owner_labels(NOW, 60)
    owner, _, _ = labels[OWNER_LABEL].rpartition("@")
    assert is_orphan({**labels, OWNER_LABEL: f"{owner}@1"}, NOW)


def test_of_another_machine_only_the_time_is_known() -> None:
    foreign = {OWNER_LABEL: "other-boot/pid:[1]/77@5", UNTIL_LABEL: str(int(NOW + 60))}
    assert not is_orphan(foreign, NOW)
    assert is_orphan(foreign, NOW + 61)


def test_labels_that_cannot_be_read_are_left_alone() -> None:
    assert not is_orphan({}, NOW)
    assert not is_orphan({OWNER_LABEL: "", UNTIL_LABEL: "soon"}, NOW)
