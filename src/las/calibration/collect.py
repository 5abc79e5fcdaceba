"""One streaming pass over calibration data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from las.calibration.batches import Batch, Tokens, check_iterable, numbered, running_on
from las.calibration.bins import BINS, LOW_EXPONENT, SUB_BITS
from las.calibration.device_histogram import DeviceFigures
from las.calibration.fingerprint import fingerprint
from las.calibration.histogram import magnitude_histogram
from las.calibration.normalised import marking_normalised
from las.calibration.sample import few_tokens
from las.calibration.statistics import SiteStatistics, Statistics
from las.components.padding import token_masks
from las.components.readers import FirstReaders
from las.components.running import observing
from las.components.site import HGSite, OATSite, Site
from las.errors import CalibrationError
from las.hosts.context import longest_context

FEWEST_TOKENS = 32

_COUNTED_ON_DEVICES = ("cuda",)
"""Devices whose tensors stay there: figures of them are added up where they are."""


def collect(model: nn.Module, batches: Iterable[Batch]) -> Statistics:
    """Run `batches` through a model with spiking components and take statistics at every site.

    The neurons pass their inputs through unchanged meanwhile, so that the model computes what the
    original one does.

    Arguments:
        model: a model prepared by `las.conversion.prepare`.
        batches: forward keyword arguments; positions with attention_mask 0 are left out, and
            those of a decoder with decoder_attention_mask 0 or, where labels alone tell what it
            reads, with the label -100. Where there are only pixel_values, a patch counts as a
            token.

    Raises:
        CalibrationError: batches of a wrong form, one that the model does not run on, fewer than
            32 tokens, or NaN or infinite activations.
        LasError: the model has no neurons.
    """
    config: Any = getattr(model, "config", None)
    statistics = Statistics(
        fingerprint(model),
        getattr(config, "model_type", type(model).__name__),
        context=longest_context(config) or 0,
    )
    recorder = Recorder(statistics, model)
    with torch.no_grad(), observing(model, recorder):
        progress = tqdm(check_iterable(batches), desc="calibrating", unit="batch")
        for name, batch, tokens in numbered(model, progress):
            with running_on(model, name):
                recorder.begin(tokens)
                if recorder.grouping:
                    with marking_normalised(model):
                        model(**few_tokens(model, batch))  # they tell who reads what as well
                    recorder.grouping = False
                    recorder.begin(tokens)
                model(**batch)
                recorder.end()
            statistics.tokens += tokens.count
    recorder.settle()
    if statistics.tokens < FEWEST_TOKENS:
        raise CalibrationError(
            f"calibration saw {statistics.tokens} tokens; it needs {FEWEST_TOKENS} at least, and "
            "some thousands for thresholds that hold on unseen text. Padding does not count, and a "
            "generator gives its batches only once"
        )
    return statistics


class Recorder:
    """Observes neuron sites on behalf of `collect`.

    Attributes:
        grouping: whether it is finding out which linear layers read the same tensor.
    """

    def __init__(self, statistics: Statistics, model: nn.Module) -> None:
        self.statistics = statistics
        self._parts = token_masks(model)
        self._masks = self._parts
        self.grouping = True
        self._readers = FirstReaders()
        self._importance: dict[str, Tensor] = {}
        self._on_devices: dict[str, tuple[Site, DeviceFigures]] = {}

    def begin(self, tokens: Tokens) -> None:
        """Note which tokens of the coming batch are no padding."""
        self._readers.forget()
        self._masks = replace(self._parts, keep=tokens.keep, decoded=tokens.decoded)

    def end(self) -> None:
        """Tell what was wrong on GPUs in a batch: each of them is waited for once.

        Raises:
            CalibrationError: there were NaN or infinite activations.
        """
        devices: dict[torch.device, list[tuple[Site, DeviceFigures]]] = {}
        for site, figures in self._on_devices.values():
            devices.setdefault(figures.counts.device, []).append((site, figures))
        for sites in devices.values():
            counts = torch.stack([figures.counts[1:] for _, figures in sites]).tolist()
            for (site, _), (masked, broken) in zip(sites, counts, strict=True):
                _check(site, masked, broken)

    def settle(self) -> None:
        """Bring what GPUs have added up into the statistics."""
        for name, (_, figures) in self._on_devices.items():
            figures.add_to(self.statistics.sites[name])
        self._on_devices.clear()

    def observe(self, site: Site, x: Tensor, importance: Callable[[], Tensor] | None) -> Tensor:
        """Add the inputs of one site."""
        joins = importance is not None and self._joins(site, x, importance)
        if not joins and not self.grouping:
            self._take_note(site, x)
        return x

    def _take_note(self, site: Site, x: Tensor) -> None:
        kind = site.function if isinstance(site, HGSite) else "oat"
        scale_free = isinstance(site, OATSite) and site.scale_free
        entry = self.statistics.sites.setdefault(site.name, SiteStatistics(kind, scale_free))
        softens = isinstance(site, HGSite) and site.function == "exp" and site.token_dim != 1
        weighs = isinstance(site, OATSite) and site.weighs_keys
        if (softens or weighs) and not self._parts.sees_images(site):
            entry.keys = max(entry.keys, x.shape[-1])
        if x.device.type in _COUNTED_ON_DEVICES:
            self._add_on_device(entry, site, x)
            return
        values = self._tokens(site, x)
        if values.numel():
            _add(entry, site, values, self._importance.get(site.name))

    def _add_on_device(self, entry: SiteStatistics, site: Site, x: Tensor) -> None:
        """Add the inputs of a site without waiting for their device."""
        if site.name not in self._on_devices:
            self._on_devices[site.name] = (site, DeviceFigures(x.device))
        _, figures = self._on_devices[site.name]
        x = x.detach().float().movedim(site.token_dim, 1)
        keep = self._kept(site, x)
        if keep is not None:
            others = (1,) * (x.dim() - 1 - keep.dim())
            keep = keep.to(x.device).view(*keep.shape, *others).expand(x.shape[:-1]).flatten()
        figures.add(
            x.reshape(-1, x.shape[-1]),
            keep,
            self._importance.get(site.name),
            entry.scale_free,
            _has_channels(site),
        )

    def _joins(self, site: Site, x: Tensor, importance: Callable[[], Tensor]) -> bool:
        """Whether another linear layer reads the same tensor; then its site serves both.

        What an error costs is then the sum of what it costs each reader.
        """
        if site.name not in self._importance:
            self._importance[site.name] = importance()
        owner = self._readers.before(site, x)
        if owner is None:
            return False
        if self.grouping and site.name not in self.statistics.shared:
            self.statistics.shared[site.name] = owner.name
            both = self._importance[owner.name] + self._importance[site.name]
            self._importance[owner.name] = both
        return self.statistics.shared.get(site.name) == owner.name

    def _tokens(self, site: Site, x: Tensor) -> Tensor:
        """Rows of the tokens that are not padding, (rows, channels), float32."""
        x = x.detach().float().cpu().movedim(site.token_dim, 1)
        keep = self._kept(site, x)
        if keep is not None:
            x = x[keep]
        return x.reshape(-1, x.shape[-1]).contiguous()

    def _kept(self, site: Site, x: Tensor) -> Tensor | None:
        """Which tokens of x, (B, L, ...) or (tokens, channels), are no padding; None for all."""
        keep = self._masks.of(site)
        if keep is None:
            return None
        keep = keep.flatten() if x.dim() == 2 else keep  # OPT puts all tokens in one row
        return keep if x.shape[: keep.dim()] == keep.shape else None


def _add(entry: SiteStatistics, site: Site, values: Tensor, importance: Tensor | None) -> None:
    """Add the inputs of a site, (rows, channels), channels weighed by their importance."""
    rows = columns = torch.ones(0, device="cpu")  # all weigh the same
    if entry.scale_free or importance is not None:
        rows, columns = values.new_ones(values.shape[0]), values.new_ones(values.shape[-1])
        if entry.scale_free:
            rows = 1 / values.square().mean(-1).clamp_min(1e-30)
        if importance is not None:
            columns = importance
    plain, heavy, figures = magnitude_histogram(
        values.numpy(),
        values.view(torch.int32).numpy(),
        columns.double().cpu().numpy(),
        rows.double().numpy(),
        LOW_EXPONENT,
        SUB_BITS,
        BINS,
    )
    count, low, high, total, squares, masked, broken = figures.tolist()
    _check(site, masked, broken)
    entry.count += int(count)
    entry.low, entry.high = min(entry.low, low), max(entry.high, high)
    entry.total += total
    entry.squares += squares
    entry.histogram += plain
    entry.importance += heavy
    if _has_channels(site):
        peak = values.abs().amax(0).double().numpy()
        entry.channel_peak = (
            np.maximum(entry.channel_peak, peak) if entry.channel_peak.size else peak
        )


def _check(site: Site, masked: float, broken: float) -> None:
    """Raise an error if a site saw NaN or +inf, or -inf where that is no masked entry."""
    masks = isinstance(site, HGSite) and site.function == "exp"
    if broken or (masked and not masks):
        raise CalibrationError(
            f"NaN or infinite activations at {site.name}: check the calibration batches and the "
            "model's weights"
        )


def _has_channels(site: Site) -> bool:
    """Whether the last dimension of a site's inputs counts channels of a model."""
    return isinstance(site, OATSite) and site.token_dim == 1
