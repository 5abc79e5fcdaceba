"""What a forward pass does: multiply-accumulates, neurons and memory, from shapes alone."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from las.components.attention import SpikingAttention
from las.components.component import Work
from las.components.readers import FirstReaders
from las.components.running import observing
from las.components.site import OATSite, Site
from las.conversion.prepare import prepare
from las.energy.counting import count_spikes
from las.errors import UnsupportedModelError
from las.hosts.towers import image_tokens
from las.neurons.tally import OperationCount
from las.planning.meta_model import meta_model
from las.planning.peak import PeakMemory

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Population:
    """The neurons of one site.

    Attributes:
        kind: "oat" or "hg:<function>", as spikes are counted.
        activations: scalars coded in the pass, those that a mask hides left out.
        channels: width of its input, where calibration keeps a peak for each channel; else 0.
    """

    kind: str
    activations: int
    channels: int


@dataclass(frozen=True)
class Walk:
    """One forward pass of batch x length tokens.

    Attributes:
        tokens: tokens that go in, a decoder's too; patches, where a model reads images alone.
        parameters: tied ones once.
        largest: elements of the largest parameter.
        populations: by site name; a site that serves several layers once.
        shared: a site that another one serves, to that other one.
        macs: multiply-accumulates by kind of operation, as spikes are counted.
        nonlinear: scalar evaluations of the ANN's functions, likewise.
        cached: scalars that a key-value cache keeps.
        peak_ann: bytes of activations of the ANN, where all of them are in one place.
        peak_observed: the same of the prepared model while it is calibrated.
    """

    tokens: int
    parameters: int
    largest: int
    populations: dict[str, Population]
    shared: dict[str, str]
    macs: dict[str, int]
    nonlinear: dict[str, int]
    cached: int
    peak_ann: int
    peak_observed: int


def walk(config: Any, dtype: torch.dtype, batch: int, length: int) -> Walk:
    """Run a model of a config on the meta device, dense and prepared.

    Arguments:
        config: of transformers.
        dtype: of weights and activations.
        batch: sequences, or images.
        length: tokens of each sequence; images have the size that the config names.

    Raises:
        UnsupportedModelError: a module has no spike-equivalent, or the model's forward asks for
            values.
    """
    model = meta_model(copy.deepcopy(config), dtype)
    if hasattr(model.config, "pad_token_id"):
        model.config.pad_token_id = None  # a warning would look for it among the inputs
    if model._can_set_experts_implementation():
        model.set_experts_implementation("batched_mm")  # which asks for no values
    inputs = _inputs(model, batch, length)
    peak_ann = _run(model, inputs)
    prepare(model)
    attentions = [module for module in model.modules() if isinstance(module, SpikingAttention)]
    causal: set[Any] = set()
    for attention in attentions:
        attention.register_forward_pre_hook(
            lambda module, args: causal.add(module) if args[3] is not None else None
        )  # there is no padding: what is masked is the future
        if attention.soft_cap is not None:  # it picks scores by their mask, which has no values
            attention.soft_cap.forward = lambda z, *_: z  # type: ignore
    shapes = _Shapes()
    with observing(model, shapes), count_spikes(model) as tally:
        peak_observed = _run(model, inputs)
    macs = Counter(linear=0, hadamard=0, norm=0, matmul=0, softmax=0)
    nonlinear = Counter[str]()

    def add(works: Iterable[Work | OperationCount]) -> None:
        for work in works:
            macs[work.kind] += work.macs
            nonlinear.update(work.nonlinear)

    add(tally.operations.values())
    modules = dict(model.named_modules())
    populations = {}
    for name, shape in shapes.seen.items():
        site: Any = modules[name]
        channels = shape[-1] if isinstance(site, OATSite) and site.token_dim == 1 else 0
        populations[name] = Population(site.kind, prod(shape), channels)
    cached = 0
    for attention in attentions:
        if f"{attention.name}.query" not in shapes.seen:
            continue
        query = shapes.seen[f"{attention.name}.query"]
        keys = shapes.seen[f"{attention.name}.key"]
        values = shapes.seen[f"{attention.name}.value"]
        seen = prod(query[:2]) * query[2] * keys[2]
        if attention in causal:
            window = _window(modules[attention.name.rpartition(".")[0]], keys[2])
            seen = prod(query[:2]) * (window * (window + 1) // 2 + (keys[2] - window) * window)
        cached += prod(keys) + prod(values)
        add(attention.work(seen, query[3], values[3], prod(query[:3]), prod(keys[:3])))
        add(attention.softmax.work(seen, prod(query[:3])))
        paired: list[Site] = [attention.softmax.exp, attention.probability]
        if attention.soft_cap is not None:
            add(attention.soft_cap.work(seen))
            paired.append(attention.soft_cap.site)
        for site in paired:
            populations[site.name] = Population(site.kind, seen, 0)
    return Walk(
        tokens=_tokens(model, inputs),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        largest=max(parameter.numel() for parameter in model.parameters()),
        populations=populations,
        shared=shapes.shared,
        macs=dict(+macs),
        nonlinear=dict(nonlinear),
        cached=cached if _writes(model) else 0,
        peak_ann=peak_ann,
        peak_observed=peak_observed,
    )


class _Shapes:
    """Observes what the sites of a model are called with."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[int, ...]] = {}
        self.shared: dict[str, str] = {}
        self._importance: dict[str, Tensor] = {}
        self._readers = FirstReaders()

    def observe(self, site: Site, x: Tensor, importance: Callable[[], Tensor] | None) -> Tensor:
        """Note a shape; a tensor that several linear layers read is coded at the first one."""
        if importance is not None:
            if site.name not in self._importance:  # calibration keeps it as well
                self._importance[site.name] = importance()
            owner = self._readers.before(site, x)
            if owner is not None:
                self.shared[site.name] = owner.name
                return x
        self.seen[site.name] = tuple(x.shape)
        return x


def _run(model: PreTrainedModel, inputs: dict[str, Tensor]) -> int:
    """The peak of a forward pass in bytes."""
    try:
        with torch.no_grad(), PeakMemory() as memory:
            model(**inputs)
    except Exception as error:  # each model asks for values, or for other inputs, in its own way
        raise UnsupportedModelError(
            f"{type(model).__name__} cannot be planned from shapes alone: {error}"
        ) from error
    return memory.peak


def _inputs(model: PreTrainedModel, batch: int, length: int) -> dict[str, Tensor]:
    config: Any = model.config
    if model.main_input_name == "pixel_values":
        size = config.image_size
        shape = (batch, config.num_channels, size, size)
        return {"pixel_values": torch.zeros(shape, dtype=model.dtype, device="meta")}
    ids = torch.zeros(batch, length, dtype=torch.int64, device="meta")
    names = ["input_ids", *(["decoder_input_ids"] if config.is_encoder_decoder else [])]
    return dict.fromkeys(names, ids)


def _tokens(model: PreTrainedModel, inputs: dict[str, Tensor]) -> int:
    if "pixel_values" in inputs:
        return image_tokens(model, inputs["pixel_values"])
    return sum(ids.numel() for ids in inputs.values())


def _window(module: Any, keys: int) -> int:
    """How many keys a token of a causal attention module sees at most."""
    config = getattr(module, "config", None)
    window = getattr(module, "sliding_window", getattr(config, "sliding_window", None))
    return min(window or keys, keys)


def _writes(model: PreTrainedModel) -> bool:
    """Whether it generates, and so keeps keys and values."""
    return bool(model.can_generate())
