"""Rules by structure, for modules whose class no rule names; importing it registers them.

Their order matters: a module is converted by the first one that recognises it.
"""
# ruff: noqa: I001  the order of the rules

from las.conversion.rules import linear, adapted, experts, expert_list, attention, own_attention
from las.conversion.rules import gated, heads, activation, norm, cosine

__all__ = [
    "activation",
    "adapted",
    "attention",
    "cosine",
    "expert_list",
    "experts",
    "gated",
    "heads",
    "linear",
    "norm",
    "own_attention",
]
