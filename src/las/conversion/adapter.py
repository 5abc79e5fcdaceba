"""Adapters: thresholds and FS parameters in one small safetensors file, bound to a base model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from torch import nn

from las.calibration.fingerprint import fingerprint
from las.conversion.checkpoint import attach, converted_in
from las.conversion.other_heads import build
from las.conversion.prepare import need_dense_model, restored_on_error
from las.conversion.state import SpikingState
from las.errors import AdapterError
from las.files import array_file

FILE = "las_adapter.safetensors"
FORMAT = "las-adapter-2"
FORMER = "las-adapter-1"

Model = TypeVar("Model", bound=nn.Module)


def save(model: nn.Module, directory: str | Path) -> Path:
    """Write the adapter of a converted model, bound to the weights that it has now.

    Arguments:
        model: a converted model, or a wrapper around one.
        directory: where to; created if needed.

    Returns:
        The file written.

    Raises:
        AdapterError: the model is not a converted one.
    """
    converted, state = converted_in(model)
    return write_adapter(Path(directory), replace(state, base=fingerprint(converted)))


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
        AdapterError: the adapter is missing, damaged, or belongs to another base model.
        UnsupportedModelError: no transformers model, or one that is converted already.

    After an error the model is as it was.
    """
    need_dense_model(base_model)
    state = read_adapter(directory)
    if (found := fingerprint(base_model)) != state.base:
        raise AdapterError(
            f"the adapter in {directory} belongs to a {state.model_type} model with fingerprint "
            f"{state.base}, this model has {found}: load the base it was made from. An adapter "
            "belongs to all weights of a model, those of its head included; to get a spiking model "
            "with another head, write it whole with save_pretrained and load it with the AutoModel "
            "class of that head"
        )
    with restored_on_error(base_model):
        state = build(base_model, state)
    attach(base_model, state)
    return base_model
