"""Decodes what PostgreSQL's built-in plugin `pgoutput` says of changed rows (protocol version 1, values as text).

Belongs here: the wire format. Does not belong here: slots and what a change means for a line (`replication.py`).
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Row = dict[str, str | None]
_IGNORED = b"OYM"  # where a transaction came from, types of columns, messages of other programs
_WITHOUT_VALUE = {b"n": False, b"u": True}


class DecodeError(ValueError):
    """A change says too little, or in a way that this version does not know; the message is one line."""


@dataclass(frozen=True)
class Change:
    """What became of one row: `new` is None when it is gone, `old` is None unless it is gone or its key changed."""

    table: str
    old: Row | None
    new: Row | None


@dataclass(frozen=True)
class Transaction:
    """The changes of one transaction, and the place in the log where it ends."""

    end: int
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class _Relation:
    name: str
    columns: tuple[str, ...]
    keys: frozenset[str]


class _Message:
    """The bytes of one message, read from the start."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def take(self, length: int) -> bytes:
        self.place += length
        return self.data[self.place - length : self.place]

    def number(self, form: str) -> int:
        return struct.unpack(f"!{form}", self.take(struct.calcsize(form)))[0]

    def text(self) -> str:
        end = self.data.index(b"\0", self.place)
        found = self.data[self.place : end].decode()
        self.place = end + 1
        return found


def decode(messages: Iterable[bytes]) -> Iterator[Transaction]:
    """The transactions of a stream of messages, each once its end was read.

    Raises DecodeError for a truncated table, and for a long value that was not sent again.
    """
    known: dict[int, _Relation] = {}
    changes: list[Change] = []
    for data in messages:
        message = _Message(data)
        kind = message.take(1)
        if kind == b"B":
            changes = []
        elif kind == b"R":
            number = message.number("I")
            known[number] = _read_relation(message)
        elif kind == b"C":
            message.take(9)
            yield Transaction(message.number("Q"), tuple(changes))
        elif kind in (b"I", b"U", b"D"):
            changes.append(_read_change(message, known))
        elif kind == b"T":
            raise DecodeError("a published table was truncated, which no line can be told from; load into a new home")
        elif kind not in _IGNORED:
            raise DecodeError(f"pgoutput sends messages of kind {kind!r}, which are not known")


def _read_relation(message: _Message) -> _Relation:
    name = f"{message.text() or 'pg_catalog'}.{message.text()}"
    message.take(1)
    columns, keys = [], []
    for _ in range(message.number("H")):
        is_key = message.number("B") == 1
        column = message.text()
        message.take(8)
        columns.append(column)
        if is_key:
            keys.append(column)
    return _Relation(name, tuple(columns), frozenset(keys))


def _read_change(message: _Message, relations: Mapping[int, _Relation]) -> Change:
    relation = relations[message.number("I")]
    tuples: dict[bytes, Row] = {}
    missing: list[str] = []
    while message.place < len(message.data):
        part = message.take(1)
        row, unsent = _read_row(message, relation)
        tuples[part] = {name: text for name, text in row.items() if part != b"K" or name in relation.keys}
        missing = unsent if part == b"N" else []
    old, new = tuples.get(b"O") or tuples.get(b"K"), tuples.get(b"N")
    for name in missing:
        if old is None or name not in old or new is None:
            raise DecodeError(
                f"the long column {name} of {relation.name} is not sent when other columns change;"
                f" run ALTER TABLE {relation.name} REPLICA IDENTITY FULL"
            )
        new[name] = old[name]
    return Change(relation.name, old, new)


def _read_row(message: _Message, relation: _Relation) -> tuple[Row, list[str]]:
    """The values as text, and the names of the columns whose values were left out as unchanged."""
    row: Row = {}
    unsent: list[str] = []
    for name in relation.columns[: message.number("H")]:
        kind = message.take(1)
        if kind in _WITHOUT_VALUE:
            row[name] = None
            if _WITHOUT_VALUE[kind]:
                unsent.append(name)
        else:
            row[name] = message.take(message.number("I")).decode()
    return row, unsent
