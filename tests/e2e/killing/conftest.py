"""Hosts with the tiny service, and ledgers, reached through the proxies of the kill harness."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import Host, free_port
from tests.e2e.killing.ledgers import LedgerPlace, file_ledger, gcs_ledger, s3_ledger
from tests.e2e.killing.tiny_host import NewPlace, TinyHost
from tests.rig.api import Rig
from tests.rig.killing import KillPoints

_NUMBERS = itertools.count()


@pytest.fixture
def new_place(shipper: Path, rig: Rig, tmp_path: Path) -> Iterator[NewPlace]:
    """Makes places; what they made is removed at the end."""
    hosts: list[Host] = []
    with ExitStack() as stack:

        def new(ledger: LedgerPlace | None = None, beside: TinyHost | None = None) -> TinyHost:
            number = next(_NUMBERS)
            home = tmp_path / f"home{number}"
            home.mkdir()
            namespace = beside.host.namespace if beside else f"kill{os.getpid()}-{number}"
            host = Host(shipper, rig, home, namespace, beside.host.port if beside else free_port())
            hosts.append(host)
            points = stack.enter_context(KillPoints(rig.docker_host, ledger.address if ledger else None))
            host.environment |= {**points.env(), **(ledger.variables(points.store_url) if ledger else {})}
            return TinyHost(host, points, ledger)

        yield new
        for host in hosts:
            host.clean_up()


@pytest.fixture
def place(new_place: NewPlace) -> TinyHost:
    """One place with nothing on it yet."""
    return new_place()


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[LedgerPlace]:
    """A ledger on an S3-compatible server."""
    with s3_ledger(tmp_path) as place:
        yield place


@pytest.fixture(params=["file", "s3", "gcs"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerPlace]:
    """A ledger on each kind of store."""
    open_one = {"file": file_ledger, "s3": s3_ledger, "gcs": gcs_ledger}[request.param]
    with open_one(tmp_path) as place:
        yield place
