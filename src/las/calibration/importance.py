"""What errors cost: told by gradients, or by noise where there are none."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace

from torch import nn

from las.calibration.batches import Batch
from las.calibration.noise import by_noise
from las.calibration.sensitivity import NoGradientError, Sensitivity, by_gradients
from las.hosts.offload import offloads


def collect_sensitivity(
    model: nn.Module, batches: Iterable[Batch], shared: Mapping[str, str]
) -> Sensitivity:
    """Tell what errors at every OAT site of a model cost.

    A pass backward holds all activations at once, and with them the weights that accelerate would
    keep elsewhere. Where it does, where memory is too short, or where layers have no gradient,
    noise tells it, with a warning: that takes a few passes forward for each such site.

    Arguments:
        model: a prepared model, in evaluation mode.
        batches: forward keyword arguments, a few hundred tokens at least.
        shared: sites that are served by another one; an error there reaches all their readers.

    Raises:
        CalibrationError: no batches.
    """
    batches = list(batches)
    found = Sensitivity()
    unseen: set[str] | None = None  # all of them
    if offloads(model):
        reason = "its weights are kept elsewhere, and a pass backward would hold them all at once"
    else:
        try:
            found = by_gradients(model, batches, shared)
            unseen = found.synapses.keys() - found.costs.keys()
            reason = "some of its layers have no gradient"
        except (NoGradientError, MemoryError, RuntimeError) as error:
            said = str(error).strip().partition("\n")[0] or type(error).__name__
            reason = f"there is no pass backward through it ({said})"
    if unseen is not None and not unseen:
        return found
    told = by_noise(model, batches, shared, unseen)
    costs = {site: cost for site, cost in told.costs.items() if cost.any()}
    if costs:  # no output sees the others
        warnings.warn(
            f"{type(model).__name__}: {reason}. What errors cost was told by noise instead, at "
            f"{len(costs)} sites of neurons",
            stacklevel=3,
        )
    return replace(found, costs=found.costs | costs, synapses=found.synapses or told.synapses)
