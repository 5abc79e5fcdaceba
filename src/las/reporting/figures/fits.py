"""Figures 3 and 4: a function, the output of its HG neuron, and the error between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from las.fitting.functions import FUNCTIONS
from las.neurons import hg
from las.neurons.hg import HG
from las.reporting.figures.carried import POINTS, carried
from las.reporting.figures.picture import Picture
from las.reporting.figures.style import BLUE, DARK, GREY, RED, Array, drawing

DRAWN_FUNCTIONS = ("gelu", "gelu_tanh", "quick_gelu", "silu", "tanh", "sigmoid", "exp")
_FUNCTION_TITLES = {"gelu": "GELU", "gelu_tanh": "GELU (tanh)", "silu": "SiLU", "exp": "exp(x)"}
_NUMBERS = {"gelu": "Figure 3. ", "exp": "Figure 4. "}


@dataclass(frozen=True)
class FunctionAndFit:
    """Figures 3 and 4: a function on rising inputs, and the output of its HG neuron, each (n,)."""

    model: str
    title: str
    function: str
    time_steps: int
    sub_neurons: int
    x: Array
    target: Array
    output: Array


def function_and_fit(model: str, title: str, neuron: HG) -> FunctionAndFit:
    """A fitted function over its calibrated range, but no wider than the paper's figures."""
    low, high = max(neuron.low, -8.0), min(neuron.high, 8.0)
    x = torch.linspace(low, high, POINTS, dtype=torch.float64)
    target = FUNCTIONS[neuron.function].evaluate(x)
    return FunctionAndFit(
        model,
        title,
        neuron.function,
        neuron.time_steps,
        neuron.size,
        x.numpy(),
        target.numpy(),
        carried(hg.spike_train(x, neuron)),
    )


def draw(path: Path, x: Array, target: Array, output: Array, title: str) -> Path:
    """Draw function and output above, and the error below.

    Args:
        path: where to write the PNG.
        x: inputs in rising order, (n,).
        target: f(x), (n,).
        output: the HG neuron's output, (n,).
        title: heading.
    """
    with drawing(path, 6.4, 4.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
        upper.plot(x, target, color=GREY, linewidth=5, alpha=0.55, label="function")
        upper.plot(x, output, color=BLUE, linewidth=1.3, label="HG neuron")
        upper.set_ylabel("output")
        upper.set_title(title)
        upper.legend(loc="upper left")
        error = output - target
        worst = int(np.abs(error).argmax())
        lower.plot(x, error, color=RED, linewidth=0.8)
        lower.axhline(0, color=DARK, linewidth=0.8)
        lower.set_ylabel("error")
        lower.set_xlabel(f"x      (largest |error| {abs(error[worst]):.2e} at x = {x[worst]:.3g})")
        lower.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    return path


def fit_picture(shown: FunctionAndFit, directory: Path) -> Picture:
    """The figure of one function of one model."""
    name = _FUNCTION_TITLES.get(shown.function, shown.function)
    title = (
        f"{shown.title}: {name} by an HG neuron, T = {shown.time_steps}, N = {shown.sub_neurons}"
    )
    path = directory / f"fit_{shown.model}_{shown.function}.png"
    return Picture(
        draw(path, shown.x, shown.target, shown.output, title),
        f"{_NUMBERS.get(shown.function, '')}{title}",
        "Above: function and output. Below: the error.",
    )
