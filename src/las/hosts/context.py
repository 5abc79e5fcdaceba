"""How long a text a model was made for, as its config says."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedConfig

_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_sequence_length",
    "max_source_positions",
    "max_target_positions",
    "max_encoder_position_embeddings",
    "max_decoder_position_embeddings",
)
"""What families call it."""


def longest_context(config: Any) -> int | None:
    """The largest number of tokens that a config names, or one of the configs within it.

    Arguments:
        config: of a transformers model, or anything else, which names none.

    Returns:
        None where none is named, as by ALiBi models. What models with relative positions, as T5,
        name is the length of their training texts; they read longer ones.
    """
    relative = hasattr(config, "relative_attention_num_buckets")
    names = [name for name in _NAMES if not (relative and name == "n_positions")]
    named = [getattr(config, name, None) for name in names]
    held = vars(config).values() if isinstance(config, PreTrainedConfig) else ()
    named += [longest_context(part) for part in held if isinstance(part, PreTrainedConfig)]
    return max((one for one in named if isinstance(one, int) and one > 0), default=None)
