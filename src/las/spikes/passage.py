"""The spikes of a passage of text, with its tokens: what a report shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import nn

from las.data.windows import token_windows, window_batches
from las.spikes.events import Passage, SpikeEvents
from las.spikes.record import spike_events

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def passage_events(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    sites: str | Iterable[str],
    *,
    tokens: int,
    model_title: str,
    text_title: str,
) -> SpikeEvents:
    """Record the spikes of some sites while the step simulator reads the beginning of a text.

    Arguments:
        model: a converted language model.
        tokenizer: its tokenizer, a fast one.
        text: its first tokens are read.
        sites: see `spike_events`.
        tokens: how many, at least 2.
        model_title: the model's name as shown.
        text_title: where the text is from.

    Returns:
        the events, with the passage and its tokens.

    Raises:
        LasError: the model has no spiking neurons.
        ValueError: there is no such site, or the text has fewer tokens.
    """
    window = next(token_windows([text], tokenizer, tokens))
    (batch,) = window_batches([window], 1)
    events = spike_events(model, batch, sites)
    pieces = [
        tokenizer.decode([token], clean_up_tokenization_spaces=False)
        for token in window.input_ids.tolist()
    ]
    return replace(events, passage=Passage(model_title, text_title, tuple(pieces)))
