"""Rules by structure, for modules whose class no rule names; importing it registers them.

Their order matters: a module is converted by the first one that recognises it.
"""

from las.conversion.rules import linear, attention, own_attention, gated, heads, activation, norm  # isort: skip

__all__ = ["activation", "attention", "gated", "heads", "linear", "norm", "own_attention"]
