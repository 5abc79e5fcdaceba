"""Self-contained checkpoints: `save_pretrained` and `AutoModel*.from_pretrained`.

The spiking state travels in config.json as a quantization config, the one hook by which
transformers rebuilds a model of other modules before it loads weights into them. Thresholds are
numbers in that file, never buffers: a cast of the model to bfloat16 does not touch them. The arrays
are one base64 string of safetensors bytes, exact and short.
"""

from __future__ import annotations

import base64
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import nn
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from las.conversion.prepare import prepare, use_spiking_attention
from las.conversion.state import SpikingState, apply
from las.errors import AdapterError
from las.hosts.saved_models import METHOD


class SpikingModelConfig(QuantizationConfigMixin):
    """The spiking state as transformers stores it in config.json."""

    def __init__(self, data: dict[str, Any], arrays: str, **kwargs: Any) -> None:
        self.quant_method = METHOD
        self.data = data
        self.arrays = arrays

    @classmethod
    def of(cls, state: SpikingState) -> SpikingModelConfig:
        """From a state."""
        data, arrays = state.pack()
        return cls(data, base64.b64encode(save(arrays)).decode())

    @property
    def state(self) -> SpikingState:
        """The state itself.

        Raises:
            AdapterError: config.json is damaged.
        """
        try:
            return SpikingState.unpack(self.data, load(base64.b64decode(self.arrays)))
        except (ValueError, KeyError, SafetensorError) as error:
            raise AdapterError(
                f"the spiking state in config.json is damaged ({error}): save the model again"
            ) from error


class SpikingModelLoader(HfQuantizer):
    """Puts spiking components into a model before its weights are loaded."""

    requires_calibration = True

    def _process_model_before_weight_loading(self, model: Any, **kwargs: Any) -> None:
        state = self.quantization_config.state
        prepare(model, state.config.vision)
        apply(model, state)

    def _process_model_after_weight_loading(self, model: Any, **kwargs: Any) -> Any:
        use_spiking_attention(model)
        if (report := self.quantization_config.state.report) is not None:
            model.las_report = report
        return model

    def is_serializable(self, *args: Any, **kwargs: Any) -> bool:
        """A spiking model can be saved again."""
        return True

    @property
    def is_trainable(self) -> bool:
        """The neurons have a straight-through gradient."""
        return True

    @property
    def is_qat_trainable(self) -> bool:
        """All weights are trained, not only adapters beside them."""
        return True


def attach(model: nn.Module, state: SpikingState) -> None:
    """Make `model.save_pretrained` write the spiking state too, and keep the report of the proof.

    The report is `model.las_report`; there is none where nobody compared with the original.
    """
    held: Any = model
    config = SpikingModelConfig.of(state)
    if state.report is not None:
        held.las_report = state.report
    held.config.quantization_config = config
    held.hf_quantizer = SpikingModelLoader(config, pre_quantized=True)


def state_of(model: nn.Module) -> SpikingState:
    """The spiking state of a converted model.

    Raises:
        AdapterError: the model is not a converted one.
    """
    config = getattr(getattr(model, "config", None), "quantization_config", None)
    if not isinstance(config, SpikingModelConfig):
        raise AdapterError(f"{type(model).__name__} is no converted model: use las.convert first")
    return config.state
