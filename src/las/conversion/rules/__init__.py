"""Rules by structure, for modules whose class no rule names; importing it registers them.

Their order matters: a module is converted by the first one that recognises it.
"""

from las.conversion.rules import attention, own_attention, gated, heads, activation, norm  # isort: skip

__all__ = ["activation", "attention", "gated", "heads", "norm", "own_attention"]
