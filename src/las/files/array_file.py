"""Files of las: arrays and a JSON header in safetensors, whole or not at all, with a checksum."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from las.files.atomic import atomic_file
from las.files.seal import DamagedFileError, checked, seal

Array = NDArray[np.float64]


def write(path: Path, format_name: str, header: Any, arrays: Mapping[str, Array]) -> None:
    """Write a file, the same content always in the same bytes; its directory is made if needed.

    Arguments:
        path: where to.
        format_name: what `read` will ask for.
        header: plain data for JSON.
        arrays: float64 arrays by name.
    """
    metadata = {"format": format_name, "header": json.dumps(header, sort_keys=True)}
    content = seal(save(dict(arrays), metadata))
    with atomic_file(path) as partial:
        partial.write_bytes(content)


def read(path: Path, format_name: str, former: str | None = None) -> tuple[Any, dict[str, Array]]:
    """Read the header and the arrays of a file.

    Arguments:
        path: the file.
        format_name: what it was written as.
        former: the name of an older format without a checksum, which is read, too.

    Raises:
        DamagedFileError: it is missing, truncated, changed, or of another format.
    """
    try:
        content = path.read_bytes()
        metadata = checked(content, format_name, former)
        return json.loads(metadata["header"]), load(content)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise DamagedFileError(str(error)) from error
