"""Files of las: arrays and a JSON header in safetensors, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from las.files.atomic import atomic_file

Array = NDArray[np.float64]


class DamagedFileError(Exception):
    """A file is missing, truncated, or of another format."""


def write(path: Path, format_name: str, header: Any, arrays: Mapping[str, Array]) -> None:
    """Write a file, the same content always in the same bytes; its directory is made if needed.

    Arguments:
        path: where to.
        format_name: what `read` will ask for.
        header: plain data for JSON.
        arrays: float64 arrays by name.
    """
    metadata = {"format": format_name, "header": json.dumps(header, sort_keys=True)}
    content = _in_order(save(dict(arrays), metadata))
    with atomic_file(path) as partial:
        partial.write_bytes(content)


def read(path: Path, format_name: str) -> tuple[Any, dict[str, Array]]:
    """Read the header and the arrays of a file.

    Raises:
        DamagedFileError: it is missing, truncated, or of another format.
    """
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != format_name:
                raise DamagedFileError(f"it is no {format_name} file")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return json.loads(metadata["header"]), arrays
    except (OSError, SafetensorError, ValueError) as error:
        raise DamagedFileError(str(error)) from error


def _in_order(content: bytes) -> bytes:
    """A safetensors file with its metadata sorted, which safetensors writes in a random order.

    The format: the header's size in 8 bytes, the header in JSON, which may end with spaces so that
    the arrays are aligned, and the arrays.
    """
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + size :]
