"""What no rule by structure can know: exceptions by class; importing it registers them."""

from las.conversion.families import distilbert, gemma, layers

__all__ = ["distilbert", "gemma", "layers"]
