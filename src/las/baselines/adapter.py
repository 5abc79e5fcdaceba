"""Baselines as files: the method and its thresholds, bound to a base model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from las.baselines import neurons
from las.baselines.convert import made_a_baseline, place
from las.baselines.left_float import FloatProducts
from las.baselines.methods import Method
from las.baselines.site import Site
from las.calibration.fingerprint import fingerprint
from las.errors import AdapterError
from las.files import array_file

FILE = "baseline.safetensors"
FORMAT = "las-baseline-1"

Model = TypeVar("Model", bound=nn.Module)


def save(model: nn.Module, directory: str | Path) -> Path:
    """Write the method and the thresholds of a baseline.

    Arguments:
        model: what `las.baselines.convert` returned.
        directory: where to; created if needed.

    Raises:
        AdapterError: the model is no baseline.
    """
    sites = [module for module in model.modules() if isinstance(module, Site)]
    if not sites:
        raise AdapterError(f"{type(model).__name__} is no baseline: use las.baselines.convert")
    method = sites[0].method
    neuron = {"kind": type(method.neuron).__name__, "options": vars(method.neuron)}
    products = [part.serves for part in model.modules() if isinstance(part, FloatProducts)]
    header = {
        "method": {**vars(method), "neuron": neuron},
        "base": fingerprint(model),
        "attending": products,
    }
    arrays = {site.serves: site.threshold.double().cpu().numpy() for site in sites}
    path = Path(directory) / FILE
    array_file.write(path, FORMAT, header, arrays)
    return path


def load(base_model: Model, directory: str | Path) -> Model:
    """Turn a base model into the baseline that `save` wrote, in place.

    Raises:
        AdapterError: the file is missing, damaged, or belongs to another base model.
        UnsupportedModelError: no transformers model, or a spiking one already.

    After an error the model is as it was.
    """
    path = Path(directory) / FILE
    try:
        header, arrays = array_file.read(path, FORMAT)
        fields: dict[str, Any] = header["method"]
        kind = getattr(neurons, fields["neuron"]["kind"])
        method = Method(**{**fields, "neuron": kind(**fields["neuron"]["options"])})
    except (array_file.DamagedFileError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise AdapterError(f"{path} is no baseline, or damaged ({error}): save it again") from error
    with made_a_baseline(base_model):
        if (found := fingerprint(base_model)) != header["base"]:
            raise AdapterError(
                f"{path} belongs to a model with fingerprint {header['base']}, this one has {found}"
            )
        thresholds = {name: torch.from_numpy(array).float() for name, array in arrays.items()}
        place(base_model, method, thresholds, header["attending"])
    return base_model
