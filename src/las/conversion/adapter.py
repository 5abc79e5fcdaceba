"""Adapters: thresholds and FS parameters in one small safetensors file, bound to a base model."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from torch import nn

from las.calibration.fingerprint import fingerprint
from las.conversion.checkpoint import attach, state_of
from las.conversion.prepare import prepare, restored_on_error
from las.conversion.state import SpikingState, apply
from las.errors import AdapterError
from las.files import array_file

FILE = "las_adapter.safetensors"
FORMAT = "las-adapter-2"
FORMER = "las-adapter-1"

Model = TypeVar("Model", bound=nn.Module)


def save(model: nn.Module, directory: str | Path) -> Path:
    """Write the adapter of a converted model.

    Arguments:
        model: a converted model.
        directory: where to; created if needed.

    Returns:
        The file written.

    Raises:
        AdapterError: the model is not a converted one.
    """
    return write_adapter(Path(directory), state_of(model))


def write_adapter(directory: Path, state: SpikingState) -> Path:
    """Write an adapter from its parts."""
    data, arrays = state.pack()
    path = directory / FILE
    array_file.write(path, FORMAT, data, arrays)
    return path


def read_adapter(directory: str | Path) -> SpikingState:
    """Read an adapter.

    Raises:
        AdapterError: it is missing, truncated, changed, or no adapter.
    """
    path = Path(directory) / FILE
    if not path.exists():
        raise AdapterError(f"no adapter in {directory}: {FILE} is missing; write one with las.save")
    try:
        return SpikingState.unpack(*array_file.read(path, FORMAT, FORMER))
    except (array_file.DamagedFileError, KeyError, ValueError) as error:
        raise AdapterError(f"{path} is damaged or truncated ({error}): save it again") from error


def load(base_model: Model, directory: str | Path) -> Model:
    """Turn a base model into the spiking one that an adapter describes, in place.

    Arguments:
        base_model: the model that the adapter was made from.
        directory: where `save` wrote to.

    Raises:
        AdapterError: the adapter is missing, damaged, or belongs to another base model; the
            model is left as it was.
    """
    state = read_adapter(directory)
    if (found := fingerprint(base_model)) != state.base:
        raise AdapterError(
            f"the adapter in {directory} belongs to a {state.model_type} model with fingerprint "
            f"{state.base}, this model has {found}: load the base it was made from"
        )
    with restored_on_error(base_model):
        prepare(base_model, state.config.vision)
        apply(base_model, state)
    attach(base_model, state)
    return base_model
