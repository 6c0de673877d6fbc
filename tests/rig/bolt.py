"""Write a bbolt file, the format of Trivy's database, in one pass.

A file is pages of 4096 bytes: two meta pages, an empty free list, then B+ trees of sorted keys. A bucket
is a tree whose root stands in its parent's leaf; a small one lies inside that leaf.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Bucket: TypeAlias = Mapping[bytes, "bytes | Bucket"]

_PAGE = 4096
_MAGIC, _VERSION = 0xED0CDAED, 2
_BRANCH, _LEAF, _META, _FREELIST = 0x01, 0x02, 0x04, 0x10
_IS_BUCKET = 0x01
_HEADER, _ELEMENT = 16, 16
_FAN_OUT = 64


@dataclass(frozen=True)
class _Entry:
    flags: int
    key: bytes
    value: bytes

    def __len__(self) -> int:
        return _ELEMENT + len(self.key) + len(self.value)


def dump(root: Bucket) -> bytes:
    """The bytes of a bbolt file that holds `root`."""
    pages = _Pages()
    top = pages.tree(_entries(root, pages))
    metas = [_meta(number, top, high_water=pages.next) for number in (0, 1)]
    return b"".join([*metas, _page(2, _FREELIST, 0, b""), *pages.written])


@dataclass
class _Pages:
    """The data pages written so far, numbered from 3."""

    written: list[bytes] = field(default_factory=list)
    next: int = 3

    def tree(self, entries: list[_Entry]) -> int:
        """Write one bucket's tree, leaves first; the number of its root page."""
        level = [(leaf[0].key if leaf else b"", self._leaf(leaf)) for leaf in _leaves(entries)]
        while len(level) > 1:
            groups = [level[start : start + _FAN_OUT] for start in range(0, len(level), _FAN_OUT)]
            level = [(group[0][0], self._branch(group)) for group in groups]
        return level[0][1]

    def _leaf(self, entries: list[_Entry]) -> int:
        return self._add(_LEAF, len(entries), _leaf_body(entries))

    def _branch(self, children: list[tuple[bytes, int]]) -> int:
        heads, keys = b"", b""
        for index, (key, page) in enumerate(children):
            offset = (len(children) - index) * _ELEMENT + len(keys)
            heads += struct.pack("<IIQ", offset, len(key), page)
            keys += key
        return self._add(_BRANCH, len(children), heads + keys)

    def _add(self, kind: int, count: int, body: bytes) -> int:
        number = self.next
        page = _page(number, kind, count, body)
        self.written.append(page)
        self.next += len(page) // _PAGE
        return number


def _entries(bucket: Bucket, pages: _Pages) -> list[_Entry]:
    return [_entry(key, bucket[key], pages) for key in sorted(bucket)]


def _entry(key: bytes, value: bytes | Bucket, pages: _Pages) -> _Entry:
    if isinstance(value, bytes):
        return _Entry(0, key, value)
    entries = _entries(value, pages)
    if any(entry.flags for entry in entries) or _HEADER + sum(map(len, entries)) > _PAGE // 4:
        return _Entry(_IS_BUCKET, key, struct.pack("<QQ", pages.tree(entries), 0))
    inline = struct.pack("<QHHI", 0, _LEAF, len(entries), 0) + _leaf_body(entries)
    return _Entry(_IS_BUCKET, key, struct.pack("<QQ", 0, 0) + inline)


def _leaves(entries: list[_Entry]) -> list[list[_Entry]]:
    """Split a bucket's entries into leaves of about a page, at least two entries each."""
    leaves: list[list[_Entry]] = [[]]
    size = _HEADER
    for entry in entries:
        if size + len(entry) > _PAGE and len(leaves[-1]) >= 2:
            leaves.append([])
            size = _HEADER
        leaves[-1].append(entry)
        size += len(entry)
    return leaves


def _leaf_body(entries: list[_Entry]) -> bytes:
    heads, data = b"", b""
    for index, entry in enumerate(entries):
        offset = (len(entries) - index) * _ELEMENT + len(data)
        heads += struct.pack("<IIII", entry.flags, offset, len(entry.key), len(entry.value))
        data += entry.key + entry.value
    return heads + data


def _page(number: int, kind: int, count: int, body: bytes) -> bytes:
    extra = (_HEADER + len(body) - 1) // _PAGE
    return (struct.pack("<QHHI", number, kind, count, extra) + body).ljust((extra + 1) * _PAGE, b"\0")


def _meta(number: int, root: int, high_water: int) -> bytes:
    body = struct.pack("<IIIIQQQQQ", _MAGIC, _VERSION, _PAGE, 0, root, 0, 2, high_water, number)
    return _page(number, _META, 0, body + struct.pack("<Q", _fnv1a(body)))


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
