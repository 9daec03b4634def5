"""Looks for text in every file under a folder, whatever it is packed in; shared by the tests of privacy.

Belongs here: unpacking Parquet, DuckDB, SQLite, gzip, ZIP and what pages carry in base64. Does not belong here: what
must not be found.
"""

import base64
import gzip
import json
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import duckdb
import polars as pl

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")


def find_traces(folder: Path, *texts: str) -> list[str]:
    """The files below `folder`, links not followed, that have one of `texts` in their name, bytes or unpacked rows."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and not file.is_symlink()]
    needles = [form for text in texts for form in (text.encode(), text.encode("utf-16-le"))]
    return [
        str(file.relative_to(folder))
        for file in files
        if any(needle in content for content in _unpack(file) for needle in needles)
    ]


def _unpack(file: Path) -> Iterator[bytes]:
    content = file.read_bytes()
    yield str(file).encode()
    yield from _unpack_bytes(content)
    if content.startswith(b"PAR1"):
        frame = pl.read_parquet(content)
        yield json.dumps(frame.to_dict(as_series=False), default=str, ensure_ascii=False).encode()
    elif content.startswith(b"SQLite format 3"):
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as con:
            yield "\n".join(con.iterdump()).encode()
        con.close()
    elif content[8:12] == b"DUCK":
        with duckdb.connect(str(file), read_only=True) as con:
            views = con.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
            tables = con.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()
            yield repr(views).encode()
            yield from (repr(con.execute(f"FROM {table}").fetchall()).encode() for (table,) in tables)


def _unpack_bytes(content: bytes) -> Iterator[bytes]:
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield from _unpack_bytes(gzip.decompress(content))
    elif content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from _unpack_bytes(archive.read(name))
    elif content.lstrip()[:9].lower() == b"<!doctype":
        for packed in _BASE64.findall(content):
            found = base64.b64decode(packed + b"=" * (-len(packed) % 4))
            yield found
            for bits in (31, 15, -15):
                try:
                    yield zlib.decompress(found, bits)
                except zlib.error:
                    continue
