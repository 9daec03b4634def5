"""Says what is wrong with a delivered file that is not what its name promises, and what to do about it.

Belongs here: recognising formats and damage by a file's bytes. Does not belong here: reading rows (`sources.py`).
"""

import codecs
import gzip
import zlib
from pathlib import Path

PARQUET_SUFFIXES = (".parquet", ".pq")
_HEAD = 4096
_BLOCK = 1 << 20
_NOT_UTF8 = "the header is not UTF-8; set [source] encoding, e.g. 'latin-1'"
_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive or spreadsheet, not CSV; unpack it or export it as CSV"),
    (b"PAR1", "a Parquet file, not CSV; name it .parquet"),
    (b"\x1f\x8b", "gzipped, not plain CSV; name it .csv.gz"),
    (b"%PDF", "a PDF, not CSV; export it as CSV"),
)


def find_mismatch(path: Path, encoding: str) -> str | None:
    """What keeps a file from being read under its name; None when it looks right. Gzip is read to its checksum.

    Raises OSError when the file cannot be opened.
    """
    if path.suffix.lower() in PARQUET_SUFFIXES:
        return None
    head = _read_head(path)
    if path.suffix.lower() == ".gz":
        return _find_damage(path) if head.startswith(b"\x1f\x8b") else "not gzipped; drop .gz from its name"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding != "utf-16":
        return "UTF-16 text; set [source] encoding = 'utf-16', or save it as UTF-8"
    return next((problem for magic, problem in _MAGIC if head.startswith(magic)), None)


def explain_unreadable(path: Path, encoding: str) -> str:
    """What a file seems to be that could not be read as CSV with the columns asked for, or '' when nobody knows."""
    if path.suffix.lower() == ".gz":
        with gzip.open(path) as file:
            head = file.read(_HEAD)
    else:
        head = _read_head(path)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        return "a web page or XML, not CSV; deliver the export itself"
    if start.startswith((b"{", b"[{")):
        return "JSON, not CSV; deliver it as CSV or Parquet"
    if b"\0" in head and encoding != "utf-16":
        return "binary, not CSV; deliver it as CSV or Parquet"
    return "" if encoding != "utf-8" or _is_utf8(head.partition(b"\n")[0]) else _NOT_UTF8


def _is_utf8(text: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(text)  # a character that is cut off at the end is no error
    except UnicodeDecodeError:
        return False
    return True


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _find_damage(path: Path) -> str | None:
    # DuckDB notices a cut file but not a wrong checksum, and would take damaged rows for good ones.
    try:
        with gzip.open(path) as file:
            while file.read(_BLOCK):
                pass
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return "a damaged or cut gzip file; deliver it again"
    return None
