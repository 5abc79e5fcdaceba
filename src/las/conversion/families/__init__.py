"""The spike-equivalents of the layers of all supported families; importing it registers them."""

from las.conversion.families import attention, gated, gemma, heads, layers

__all__ = ["attention", "gated", "gemma", "heads", "layers"]
