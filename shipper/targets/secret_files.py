"""Secrets as files on a Docker engine: whose they are, and the archive that carries them. Pure.

Shared by the smoke test and the docker adapter, so that a candidate sees exactly what production will see.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence

from shipper.model.secret import Secret


def owner_of(user: str, passwd: str, group: str) -> tuple[int, int]:
    """(uid, gid) of a container's user ("name", "1000", "1000:1000", "" for root), given the image's /etc/passwd
    and /etc/group. Unknown names are 0: the file is then readable by nobody else.
    """
    name, _, group_name = user.partition(":")
    accounts = [line.split(":") for line in passwd.splitlines() if line.count(":") >= 3]
    account = next((fields for fields in accounts if name in (fields[0], fields[2])), None)
    uid = int(name) if name.isdigit() else _number(account[2] if account else "")
    if not group_name:
        return uid, _number(account[3] if account else "")
    if group_name.isdigit():
        return uid, int(group_name)
    groups = [line.split(":") for line in group.splitlines() if line.count(":") >= 2]
    return uid, next((_number(fields[2]) for fields in groups if fields[0] == group_name), 0)


def secrets_archive(secrets: Sequence[Secret], owner: tuple[int, int]) -> bytes:
    """A tar of one file 0600 for each secret, of that owner."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for secret in secrets:
            value = secret.reveal()
            entry = tarfile.TarInfo(secret.name)
            entry.size, entry.mode = len(value), 0o600
            entry.uid, entry.gid = owner
            archive.addfile(entry, io.BytesIO(value))
    return made.getvalue()


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
