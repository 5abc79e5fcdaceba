"""Spiking models that `save_pretrained` wrote, made known to transformers.

Their config.json names a quantization method of ours, and `from_pretrained` looks it up in the
tables of `transformers.quantizers.auto`. What stands in those tables is a name at first: the
classes themselves, and with them the whole of las, are imported when such a model is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from las.hosts.import_hook import around_import

METHOD = "las"
_TABLES = "transformers.quantizers.auto"


def register_with_transformers() -> None:
    """Register the quantization method now, or as soon as transformers is there to be told."""
    if _TABLES in sys.modules:
        _register()
    else:
        around_import(_TABLES, _execute)


def _execute(tables: Callable[[], None]) -> None:
    tables()
    _register()


def _register() -> None:
    from transformers.quantizers.auto import register_quantization_config, register_quantizer
    from transformers.quantizers.base import HfQuantizer
    from transformers.utils.quantization_config import QuantizationConfigMixin

    @register_quantization_config(METHOD)
    class Config(QuantizationConfigMixin):
        @classmethod
        def from_dict(cls, *args: Any, **kwargs: Any) -> Any:
            return _checkpoint().SpikingModelConfig.from_dict(*args, **kwargs)

    @register_quantizer(METHOD)
    class Quantizer(HfQuantizer):
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return _checkpoint().SpikingModelLoader(*args, **kwargs)


def _checkpoint() -> Any:
    """By name, for nothing in `las.hosts` depends on what converts."""
    return import_module("las.conversion.checkpoint")
