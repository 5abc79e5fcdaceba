"""What no rule by structure can know: exceptions by class; importing it registers them."""

from las.conversion.families import (
    capped_logits,
    deberta,
    distilbert,
    gemma3_vision,
    layers,
    nemotron,
    whisper,
)

__all__ = [
    "capped_logits",
    "deberta",
    "distilbert",
    "gemma3_vision",
    "layers",
    "nemotron",
    "whisper",
]
