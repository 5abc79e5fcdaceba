"""The one verb: a pretrained transformer in, its spike-equivalent out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import Tensor, nn

from las.calibration.collect import collect, first_text
from las.calibration.thresholds import choose_thresholds
from las.config import SpikeConfig
from las.conversion.audit import audit
from las.conversion.checkpoint import attach
from las.conversion.prepare import prepare, restored_on_error
from las.conversion.state import apply, assemble
from las.errors import UnsupportedModelError
from las.fitting.model_functions import fit_functions
from las.hosts.stacks import stacks

Model = TypeVar("Model", bound=nn.Module)

_AUDITED_TOKENS = 8


def convert(
    model: Model, batches: Iterable[Mapping[str, Any]], config: SpikeConfig | None = None
) -> Model:
    """Turn a pretrained transformer into a fully spike-driven one, in place.

    Arguments:
        model: a supported transformers model; it is put into evaluation mode.
        batches: calibration data, forward keyword arguments such as input_ids (B, L) and
            attention_mask (B, L), and for an encoder with a decoder labels or decoder_input_ids;
            some thousand tokens of the kind the model will see.
        config: T, H and the other options; T = 16 and H = 5 by default.

    Returns:
        The same model. `generate`, `save_pretrained` and everything else of transformers goes on
        working.

    Raises:
        UnsupportedModelError: a module or an operation has no spike-equivalent.
        CalibrationError: batches are empty, too short, or give NaN or infinite activations.

    After an error the model is as it was.
    """
    config = config or SpikeConfig()
    with restored_on_error(model):
        prepare(model, config.vision)
        with _first_tokens(model) as sample:
            statistics = collect(model, batches)
        thresholds = choose_thresholds(statistics, config)
        state = assemble(statistics, thresholds, fit_functions(statistics, config), config)
        apply(model, state)
        refuse_float(model, sample)
    attach(model, state)
    return model


def refuse_float(model: nn.Module, batch: Mapping[str, Any]) -> None:
    """Raise UnsupportedModelError, naming every operation of a converted model that is float."""
    if floats := audit(model, batch).floats:
        listed = "; ".join(
            f"{row.operation} in {row.place} ({row.module_class}"
            f"{', ' + row.note if row.note else ''})"
            for row in floats
        )
        raise UnsupportedModelError(
            f"{type(model).__name__} computes on activations without spikes: {listed}. Register a "
            "spike-equivalent of these modules with las.conversion.converts, or open an issue."
        )


@contextmanager
def _first_tokens(model: nn.Module) -> Iterator[dict[str, Any]]:
    """Fill a small batch from what the model is first called with inside the block."""
    sample: dict[str, Any] = {}

    def keep(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not sample:
            sample.update(first_text(kwargs) if len(stacks(model)) > 1 else _shortened(kwargs))

    hook = model.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        yield sample
    finally:
        hook.remove()


def _shortened(batch: Mapping[str, Any]) -> dict[str, Any]:
    """One sequence of a few tokens, or the whole batch where it holds more than tokens."""
    tensors = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
    plain = all(value.ndim == 2 or name == "inputs_embeds" for name, value in tensors.items())
    if not plain or len({value.shape[:2] for value in tensors.values()}) != 1:
        return dict(batch)
    short = {name: value[:1, :_AUDITED_TOKENS].clone() for name, value in tensors.items()}
    return {**batch, **short}
