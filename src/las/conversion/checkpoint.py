"""Self-contained checkpoints: `save_pretrained` and `AutoModel*.from_pretrained`.

The spiking state travels in config.json as a quantization config, the one hook by which
transformers rebuilds a model of other modules before it loads weights into them. Thresholds are
numbers in that file, never buffers: a cast of the model to bfloat16 does not touch them. The arrays
are one base64 string of safetensors bytes, exact and short.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save
from torch import nn
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from las.conversion.prepare import prepare, use_spiking_attention
from las.conversion.state import SpikingState, apply
from las.errors import AdapterError
from las.hosts.saved_models import METHOD

_STATE = "las_state"
"""What the metadata of weights call the checksum of the state beside them."""


class SpikingModelConfig(QuantizationConfigMixin):
    """The spiking state as transformers stores it in config.json."""

    def __init__(
        self,
        data: dict[str, Any] | None = None,
        arrays: str = "",
        sha256: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.quant_method = METHOD
        self.data = data
        self.arrays = arrays
        self.sha256 = sha256

    @classmethod
    def of(cls, state: SpikingState) -> SpikingModelConfig:
        """From a state."""
        data, arrays = state.pack()
        text = base64.b64encode(save(arrays)).decode()
        return cls(data, text, _checksum(data, text))

    @property
    def state(self) -> SpikingState:
        """The state itself.

        Raises:
            AdapterError: config.json is damaged.
        """
        try:
            # A state that was saved before there were checksums has none.
            if self.sha256 not in (None, _checksum(self.data, self.arrays)):
                raise ValueError("its checksum is another than that of what it holds")
            return SpikingState.unpack(self.data or {}, load(base64.b64decode(self.arrays)))
        except (ValueError, KeyError, SafetensorError) as error:
            raise AdapterError(
                f"the spiking state in config.json is damaged ({error}): save the model again"
            ) from error


def _checksum(data: dict[str, Any] | None, arrays: str) -> str:
    text = json.dumps([data, arrays], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class SpikingModelLoader(HfQuantizer):
    """Puts spiking components into a model before its weights are loaded."""

    requires_calibration = True

    def _process_model_before_weight_loading(
        self, model: Any, checkpoint_files: list[str] | None = None, **kwargs: Any
    ) -> None:
        state = self.quantization_config.state
        _check_weights(checkpoint_files or [], self.quantization_config.sha256)
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

    def get_state_dict_and_metadata(self, model: Any) -> tuple[None, dict[str, str]]:
        """The weights say which state they are saved with."""
        return None, {_STATE: self.quantization_config.sha256 or ""}

    @property
    def is_trainable(self) -> bool:
        """Conversion is for inference."""
        return False


def _check_weights(files: list[str], sha256: str | None) -> None:
    """Refuse weights that are cut, or that were saved with another state.

    A process that is killed in `save_pretrained` may leave a new config.json with old weights.
    """
    for file in files:
        if not str(file).endswith(".safetensors"):
            continue
        try:
            with safe_open(file, "pt") as weights:
                saved_with = (weights.metadata() or {}).get(_STATE)
        except (SafetensorError, OSError) as error:
            raise AdapterError(f"{file} is damaged ({error}): save the model again") from error
        if saved_with and sha256 and saved_with != sha256:
            raise AdapterError(
                f"{file} was saved with another spiking state than that in config.json, as when a "
                "process is killed while it saves: save the model again"
            )


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
