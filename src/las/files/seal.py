"""Checksums inside safetensors files, over all that such a file says."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_METADATA = "__metadata__"
_CHECKSUM = "sha256"


class DamagedFileError(Exception):
    """A file is missing, truncated, changed, or of another format."""


def seal(content: bytes) -> bytes:
    """A safetensors file with a checksum in its metadata; the same content in the same bytes.

    Safetensors writes metadata in a random order: here they are sorted, and the arrays aligned.
    """
    header, arrays = _parts(content)
    metadata = header.setdefault(_METADATA, {}) | {_CHECKSUM: _digest(header, arrays)}
    header[_METADATA] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + arrays


def checked(content: bytes, format_name: str, former: str | None) -> dict[str, str]:
    """The metadata of a sealed file.

    Arguments:
        content: the file.
        format_name: what its metadata must give as "format".
        former: the name of an older format, which had no checksum and is not checked; None where
            that had no metadata at all.

    Raises:
        DamagedFileError: it is not what was sealed, or of another format.
    """
    try:
        header, arrays = _parts(content)
        metadata: dict[str, str] = header.get(_METADATA, {})
        found = metadata.get("format")
    except (ValueError, AttributeError) as error:
        raise DamagedFileError(f"its header cannot be read: {error}") from error
    if found == former and _CHECKSUM not in metadata:
        return metadata
    if found != format_name:
        raise DamagedFileError(f"it is no {format_name} file")
    checksum = metadata.pop(_CHECKSUM, None)
    if checksum != _digest(header, arrays):
        raise DamagedFileError("its checksum is another than that of what it holds")
    return metadata


def _parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the arrays.

    The format: the header's size in 8 bytes, the header in JSON, which may end with spaces so that
    the arrays are aligned, and the arrays.
    """
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def _digest(header: dict[str, Any], arrays: bytes) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    digest.update(arrays)
    return digest.hexdigest()
