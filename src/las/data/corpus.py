"""A running text in one file or in the shards of a table: WikiText, Enwik8, or one of your own."""

from __future__ import annotations

from pathlib import Path

from las.data.shards import FORMATS, read_shards
from las.errors import AssetError


def read_corpus(place: Path, last_bytes: int | None = None) -> str:
    """Read a text whole.

    Arguments:
        place: a file of UTF-8 text, or a folder of shards (arrow, parquet, JSON lines) whose
            column `text` holds its lines, as the hub has WikiText.
        last_bytes: only so many bytes of its end are read: Enwik8's test set is its last 5,000,000.

    Raises:
        FileNotFoundError: there is nothing at `place`.
        AssetError: a folder holds no shards or no column `text`, or a file is no UTF-8.
        ValueError: `last_bytes` is below 1.
    """
    if last_bytes is not None and last_bytes < 1:
        raise ValueError(f"last_bytes must be at least 1, not {last_bytes}")
    if not place.exists():
        raise FileNotFoundError(
            f"no text at {place}: fetch the data assets first, or put the text there"
        )
    content = _joined(place).encode() if place.is_dir() else place.read_bytes()
    if last_bytes is not None and last_bytes < len(content):
        content = content[-last_bytes:]
        while content and content[0] & 0xC0 == 0x80:  # the end of a character cut in two
            content = content[1:]
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AssetError(f"{place} is no UTF-8 text ({error}): fetch it again") from error


def _joined(folder: Path) -> str:
    files = sorted(str(path) for path in folder.rglob("*") if path.suffix in FORMATS)
    if not files:
        raise AssetError(f"{folder} holds no {', '.join(FORMATS)} file: fetch the text again")
    rows = read_shards(files)
    if "text" not in rows.column_names:
        raise AssetError(f"{folder} has the columns {', '.join(rows.column_names)}, and no text")
    return "".join(rows["text"])
