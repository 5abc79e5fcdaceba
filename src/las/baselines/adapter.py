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
from las.baselines.weights import exchange
from las.calibration.fingerprint import fingerprint
from las.errors import AdapterError
from las.files import array_file

FILE = "baseline.safetensors"
FORMAT = "las-baseline-1"
_WEIGHT = "weight "
"""Before the name of a weight; what has no such name is a threshold."""

Model = TypeVar("Model", bound=nn.Module)


def save(model: nn.Module, directory: str | Path, base: nn.Module | None = None) -> Path:
    """Write the method and the thresholds of a baseline.

    Arguments:
        model: what `las.baselines.convert` or `fine_tune` returned.
        directory: where to; created if needed.
        base: the model that was fine-tuned, as it was before: weights that differ are written too.

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
        "base": fingerprint(model if base is None else base),
        "attending": products,
    }
    arrays = {site.serves: site.threshold.double().cpu().numpy() for site in sites}
    if base is not None:
        trained = dict(model.named_parameters())
        arrays |= {
            f"{_WEIGHT}{name}": trained[name].detach().float().cpu().numpy()
            for name, before in base.named_parameters()
            if not torch.equal(before, trained[name])
        }
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
        stored = {name: torch.from_numpy(array).float() for name, array in arrays.items()}
        trained = {name: x for name, x in stored.items() if name.startswith(_WEIGHT)}
        thresholds = {name: x for name, x in stored.items() if name not in trained}
        place(base_model, method, thresholds, header["attending"])
        old = dict(base_model.named_parameters())
        pairs = [(old[name.removeprefix(_WEIGHT)], x) for name, x in trained.items()]
        exchange(base_model, {one: nn.Parameter(x.to(one)) for one, x in pairs})
    return base_model
