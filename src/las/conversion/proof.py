"""The proof of a conversion: the spiking model beside its original, on real data.

Three comparisons on one row of the first calibration batch. With exact neurons, every component
computes what the module that it replaces computes, and the whole model what the original computes:
what is beyond rounding is an error that names the module. After calibration, the spiking model's
outputs beside the original's say what the neurons cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from las.components.exact import Exact
from las.components.running import observing, running
from las.conversion.audit import forward_arguments
from las.conversion.comparison import Originals, compared, output_error, tolerance
from las.conversion.registry import how_to_register
from las.conversion.report import ConversionReport
from las.errors import LasError, UnsupportedModelError
from las.hosts.offload import hooked_modules, named_weights
from las.neurons.tally import SpikeTally


class Proof:
    """The comparisons of one conversion.

    Arguments:
        model: the original, in evaluation mode.
        batch: forward keyword arguments.

    Raises:
        UnsupportedModelError: a weight has no values.
    """

    def __init__(self, model: nn.Module, batch: Mapping[str, Any]) -> None:
        if not hooked_modules(model) and any(weight.is_meta for weight in model.parameters()):
            next(iter(named_weights(model)))  # it says which
        self._arguments = forward_arguments(model, batch)
        self._originals = Originals(model)
        self._expected = self._outputs(model)
        self._structure_error = 0.0

    def compare_structure(self, model: nn.Module) -> None:
        """Compare the prepared model, its neurons exact, with the original.

        Raises:
            UnsupportedModelError: a component or the model differs beyond rounding.
        """
        with observing(model, Exact()), compared(self._originals.beside(model)) as deviations:
            outputs = self._run_prepared(model)
        allowed = tolerance(model, 1)
        for one in deviations:
            if not one.error <= allowed:
                raise UnsupportedModelError(
                    f"the spike-equivalent of {one.path} ({one.module_class}) computes something "
                    f"else: with exact neurons its output is off by {one.error:.2g} of its size, "
                    f"where rounding explains {allowed:.0e}. "
                    f"{how_to_register(one.module_class)}"
                )
        error = output_error(outputs, self._expected)
        if not error <= tolerance(model, 10):
            raise UnsupportedModelError(
                f"{type(model).__name__} computes something else once its modules are replaced, "
                f"though each of them is right: with exact neurons its outputs are off by "
                f"{error:.2g} of their size. What it computes between its modules depends on them"
                f"{_or_rounding(model)}."
            )
        self._structure_error = error

    def report(self, model: nn.Module) -> ConversionReport:
        """Compare the spiking model with the original, after its structure was."""
        tally = SpikeTally()
        with ExitStack() as blocks:
            for one in running(model):
                blocks.enter_context(one.run.counted(tally))
            deviations = blocks.enter_context(compared(self._originals.beside(model)))
            outputs = self._outputs(model)
        worst = max(deviations, key=lambda one: one.error, default=None)
        inputs = sum(site.activations for site in tally.sites.values())
        return ConversionReport(
            self._structure_error,
            output_error(outputs, self._expected),
            worst.path if worst else "",
            worst.error if worst else 0.0,
            tally.out_of_range / inputs if inputs else 0.0,
        )

    def _run_prepared(self, model: nn.Module) -> Any:
        try:
            return self._outputs(model)
        except LasError:
            raise
        except Exception as error:
            raise UnsupportedModelError(
                f"{type(model).__name__} runs no more once its modules are replaced: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _outputs(self, model: nn.Module) -> Any:
        with torch.no_grad():
            return model(**self._arguments)


def _or_rounding(model: nn.Module) -> str:
    """What else may be the reason, in a precision whose rounding adds up from layer to layer."""
    kinds = {weight.dtype for weight in model.parameters()} & {torch.float16, torch.bfloat16}
    names = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
    return f", or its layers amplify the rounding of {names}: try it in float32" if kinds else ""
