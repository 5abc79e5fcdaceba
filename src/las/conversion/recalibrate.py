"""New thresholds for a spiking model whose weights have changed, as by fine-tuning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import nn

from las.calibration.batches import check_iterable
from las.calibration.collect import collect
from las.components.component import SpikingModule
from las.components.site import HGSite, OATSite
from las.conversion.checkpoint import attach, converted_in
from las.conversion.choose import choose_neurons
from las.conversion.frugal import Kept, weigh
from las.fitting.model_functions import fit_functions

Model = TypeVar("Model", bound=nn.Module)


def recalibrate(model: Model, batches: Iterable[Mapping[str, Any]]) -> Model:
    """Choose the thresholds of a spiking model anew, and fit its functions to its new ranges.

    Training changes the ranges of activations, which thresholds were made for. The options of the
    conversion stay, and a budget is spent anew, on what the model makes of the data with exact
    neurons. There is no original any more to compare with, and so no `las_report`.

    Arguments:
        model: a converted model, in place, or a wrapper that holds one.
        batches: calibration data as for `las.convert`.

    Returns:
        The same model.

    Raises:
        AdapterError: the model is not a converted one.
        CalibrationError: batches are empty, too short, or give NaN or infinite activations.

    After an error the model is as it was.
    """
    converted, state = converted_in(model)
    config, training = state.config, converted.training
    with _neurons_kept_on_error(converted):
        _give_every_reader_a_site(converted)
        kept = None if config.budget is None else Kept(check_iterable(batches))
        statistics = collect(converted.eval(), kept or batches)
        functions = fit_functions(statistics, config)
        weighed = None if kept is None else weigh(converted, statistics, kept.batches)
        state = choose_neurons(converted, statistics, functions, weighed, config)
    converted.train(training)
    converted.__dict__.pop("las_report", None)
    attach(converted, state)
    return model


def _oat_sites(model: nn.Module) -> Iterator[tuple[SpikingModule, str, OATSite]]:
    """Every component, attribute and site of OAT neurons; a shared site once for each reader."""
    for module in model.modules():
        if isinstance(module, SpikingModule):
            for attribute, site in module._modules.items():
                if isinstance(site, OATSite):
                    yield module, attribute, site


def _give_every_reader_a_site(model: nn.Module) -> None:
    """Undo `share_sites`: who reads the same tensor is found out again."""
    for component, attribute, site in list(_oat_sites(model)):
        name = f"{component.name}.{attribute}"
        if site.name != name:
            own = OATSite(site.scale_free, site.token_dim, site.weighs_keys)
            own.of_encoder = site.of_encoder
            own.name = name
            setattr(component, attribute, own)
        else:
            site.fan_out = 1


@contextmanager
def _neurons_kept_on_error(model: nn.Module) -> Iterator[None]:
    """Give a model its sites and neurons back, and its mode, if the block raises."""
    training = model.training
    sites = [(*place, place[2].neuron, place[2].fan_out) for place in _oat_sites(model)]
    functions = [(site, site.neuron) for site in model.modules() if isinstance(site, HGSite)]
    try:
        yield
    except BaseException:
        for component, attribute, site, neuron, fan_out in sites:
            setattr(component, attribute, site)
            site.neuron, site.fan_out = neuron, fan_out
        for one, fitted in functions:
            one.neuron = fitted
        model.train(training)
        raise
