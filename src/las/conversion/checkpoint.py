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
from transformers import PreTrainedModel
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from las.conversion.methods import give_own_methods
from las.conversion.other_heads import build
from las.conversion.prepare import use_spiking_attention
from las.conversion.state import SpikingState
from las.errors import AdapterError
from las.files.tensors import digest_of
from las.hosts.offload import named_weights
from las.hosts.saved_models import METHOD, writes_file
from las.options import shown

_LISTS = ("sites", "shared", "shifts")
"""What of the data is long: a part for each of many sites."""

_STATE = "las_state"
"""What the metadata of weights call the checksum of the state beside them."""

_WEIGHTS = "las_weights"
"""What they call the checksums of the weights themselves, by name."""


class SpikingModelConfig(QuantizationConfigMixin):
    """The spiking state as transformers stores it in config.json."""

    def __init__(
        self,
        data: dict[str, Any] | None = None,
        arrays: str | None = None,
        sha256: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.quant_method = METHOD
        self.data = data or {}
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
            AdapterError: config.json is damaged, or holds no more than what is shown of a state.
        """
        if self.arrays is None:
            raise AdapterError(
                "this is what print shows of a spiking model's config, without its thresholds: "
                "write the config with save_pretrained, or copy it with copy.deepcopy"
            )
        try:
            # A state that was saved before there were checksums has none.
            if self.sha256 not in (None, _checksum(self.data, self.arrays)):
                raise ValueError("its checksum is another than that of what it holds")
            return SpikingState.unpack(self.data, load(base64.b64decode(self.arrays)))
        except (ValueError, KeyError, SafetensorError) as error:
            raise AdapterError(
                f"the spiking state in config.json is damaged ({error}): save the model again"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """All of the state where transformers writes config.json; else what fits on a screen.

        Printing a config and writing it take the same way through transformers.
        """
        if writes_file() or self.arrays is None:
            return super().to_dict()
        short = {name: one for name, one in self.data.items() if name not in _LISTS}
        counts = {name: len(self.data[name]) for name in _LISTS if name in self.data}
        functions = sorted(self.data.get("functions", ()))
        return {"quant_method": METHOD, "data": short | counts | {"functions": functions}}

    def get(self, key: str, default: Any = None) -> Any:
        """As of a dict: where transformers is given a config object, it takes this for one."""
        return getattr(self, key, default)


def _checksum(data: dict[str, Any], arrays: str) -> str:
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
        self._state = build(model, state)

    def _process_model_after_weight_loading(self, model: Any, **kwargs: Any) -> Any:
        use_spiking_attention(model)
        _forget_quantization(model)
        attach(model, self._state)
        return model

    def is_serializable(self, *args: Any, **kwargs: Any) -> bool:
        """A spiking model can be saved again."""
        return True

    def get_state_dict_and_metadata(self, model: Any) -> tuple[None, dict[str, str]]:
        """The weights say which state they are saved with, and how each of them is to be read."""
        state = self.quantization_config.sha256 or ""
        return None, {_STATE: state, _WEIGHTS: json.dumps(_checksums(model))}

    @property
    def is_trainable(self) -> bool:
        """The neurons have a straight-through gradient."""
        return True

    @property
    def is_qat_trainable(self) -> bool:
        """All weights are trained, not only adapters beside them."""
        return True


def _checksums(model: nn.Module) -> dict[str, str]:
    """A digest of every parameter and buffer by name; of none where weights are cut into shares."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    if any(type(x) is not nn.Parameter for x in parameters.values()):
        return {}
    buffers = [
        (name, x)
        for name, x in model.state_dict().items()
        if name not in parameters and not x.is_meta
    ]
    return {name: digest_of(x) for name, x in (*buffers, *named_weights(model))}


def _check_weights(files: list[str], sha256: str | None) -> None:
    """Refuse weights that are cut or changed, or that were saved with another state.

    A process that is killed in `save_pretrained` may leave a new config.json with old weights, or
    new shards with old ones. Weights that transformers names otherwise in files than in the model
    are not compared.
    """
    known = set()
    for file in files:
        if not str(file).endswith(".safetensors"):
            continue
        try:
            with safe_open(file, "pt") as weights:
                metadata = weights.metadata() or {}
                if _WEIGHTS in metadata:
                    _compare(weights, json.loads(metadata[_WEIGHTS]))
        except (SafetensorError, OSError, ValueError) as error:
            raise AdapterError(f"{file} is damaged ({error}): save the model again") from error
        saved_with = metadata.get(_STATE)
        known.add(metadata.get(_WEIGHTS))
        if (saved_with and sha256 and saved_with != sha256) or len(known) > 1:
            other = "spiking state than that in config.json" if len(known) == 1 else "model"
            raise AdapterError(
                f"{file} was saved with another {other}, as when a process is killed while it "
                "saves: save the model again"
            )


def _compare(weights: Any, sums: dict[str, str]) -> None:
    """Compare the tensors of a file with their checksums.

    Raises:
        ValueError: one is another than was saved, or has another name.
    """
    named = {digest: name for name, digest in sums.items()}
    for name in weights.keys() if sums else ():
        found = digest_of(weights.get_tensor(name))
        if sums.get(name, found) != found:
            raise ValueError(f"{name} is another than was saved")
        if name not in sums and _differ_in_one(name, named.get(found, "")):
            raise ValueError(f"{name} was saved as {named[found]}")


def _differ_in_one(name: str, other: str) -> bool:
    """Whether names differ in a single character, as where one bit has changed."""
    return len(name) == len(other) and sum(map(str.__ne__, name, other)) == 1


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
    give_own_methods(model)


def converted_in(model: nn.Module) -> tuple[nn.Module, SpikingState]:
    """A converted model, or the one that a wrapper holds, and its spiking state.

    Raises:
        AdapterError: the model is not a converted one.
    """
    for module in model.modules() if isinstance(model, nn.Module) else ():
        config = getattr(getattr(module, "config", None), "quantization_config", None)
        if isinstance(module, PreTrainedModel) and isinstance(config, SpikingModelConfig):
            return module, config.state
    raise AdapterError(f"{shown(model)} is no converted model: use las.convert first")


def _forget_quantization(model: Any) -> None:
    """Let a loaded model be like one that was converted in memory.

    transformers marks what it loads by way of a quantization config, and then refuses to cast it,
    and to evaluate it with Trainer.
    """
    for name in ("is_quantized", "quantization_method"):
        model.__dict__.pop(name, None)
    for module in model.modules():
        if isinstance(module, PreTrainedModel):
            module.config.__dict__.pop("_is_quantized", None)
