"""Make transformers load the spiking models that `save_pretrained` wrote, and write them whole.

Their config.json names the quantization method "las", and `from_pretrained` looks up what to do in
two tables of `transformers.quantizers.auto`. We register two small classes there. The real ones are
asked for when the first such model is loaded, so that nobody else pays for them.

A config is printed and written by the same methods of transformers. The state of a spiking model
has some hundred thousand characters, which are for the file alone, so that we take note when one is
written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, Protocol

from las.hosts.import_hook import around_import

METHOD = "las"
_TABLES = "transformers.quantizers.auto"
_WRITING = ContextVar("_WRITING", default=False)


class Checkpoints(Protocol):
    """What makes spiking models of checkpoints."""

    SpikingModelConfig: Any
    SpikingModelLoader: Any


def register_with_transformers(checkpoints: Callable[[], Checkpoints]) -> None:
    """Register now if transformers has its tables, or else as soon as they are imported.

    Arguments:
        checkpoints: called when the first spiking model is loaded.
    """

    def execute(tables: Callable[[], None]) -> None:
        tables()
        _register(checkpoints)

    if _TABLES in sys.modules:
        _register(checkpoints)
    else:
        around_import(_TABLES, execute)


def _register(checkpoints: Callable[[], Checkpoints]) -> None:
    from transformers.quantizers.auto import register_quantization_config, register_quantizer
    from transformers.quantizers.base import HfQuantizer
    from transformers.utils.quantization_config import QuantizationConfigMixin

    _note_files()

    @register_quantization_config(METHOD)
    class Config(QuantizationConfigMixin):
        @classmethod
        def from_dict(cls, *args: Any, **kwargs: Any) -> Any:
            return checkpoints().SpikingModelConfig.from_dict(*args, **kwargs)

    @register_quantizer(METHOD)
    class Quantizer(HfQuantizer):
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return checkpoints().SpikingModelLoader(*args, **kwargs)


def writes_file() -> bool:
    """Whether transformers is writing a config to a file, in this thread."""
    return _WRITING.get()


def _note_files() -> None:
    """Let `writes_file` know of the files that configs of transformers are written to."""
    from transformers.configuration_utils import PreTrainedConfig

    write = PreTrainedConfig.to_json_file

    @wraps(write)
    def to_json_file(self: Any, *args: Any, **kwargs: Any) -> None:
        token = _WRITING.set(True)
        try:
            write(self, *args, **kwargs)
        finally:
            _WRITING.reset(token)

    PreTrainedConfig.to_json_file = to_json_file
