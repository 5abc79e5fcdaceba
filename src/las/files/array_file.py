"""Files of las: arrays and a JSON header in safetensors, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from las.files.atomic import atomic_file

Array = NDArray[np.float64]


class DamagedFileError(Exception):
    """A file is missing, truncated, or of another format."""


def write(path: Path, format_name: str, header: Any, arrays: Mapping[str, Array]) -> None:
    """Write a file; its directory is created if needed.

    Arguments:
        path: where to.
        format_name: what `read` will ask for.
        header: plain data for JSON.
        arrays: float64 arrays by name.
    """
    metadata = {"format": format_name, "header": json.dumps(header, sort_keys=True)}
    with atomic_file(path) as partial:
        save_file(dict(arrays), partial, metadata)


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
