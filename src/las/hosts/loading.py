"""Load models, their configs, and the tokenizers and processors that make their inputs.

Weights are read from safetensors or GGUF files, never from pickles, and no code that comes with a
model is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

MODEL_CLASSES = {
    "causal_lm": "AutoModelForCausalLM",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "encoder": "AutoModel",
    "classifier": "AutoModelForSequenceClassification",
    "vision_language": "AutoModelForImageTextToText",
}
"""What a model is used for, and the transformers class that loads it."""

DTYPES = ("float32", "float16", "bfloat16")
"""The dtypes that weights may be read in."""


def read_config(source: str | Path) -> Any:
    """Read a model's config, and nothing else of it.

    Arguments:
        source: a name on the hub, a model's directory, or a config.json.

    Raises:
        FileNotFoundError: a path that does not exist.
        OSError, ValueError: there is no config, or transformers does not know it.
    """
    from transformers import AutoConfig

    if _is_path(source) and not Path(source).exists():
        raise FileNotFoundError(f"no such model directory or config.json: {source}")
    return AutoConfig.from_pretrained(source, trust_remote_code=False)


def load_model(
    source: str | Path,
    kind: str | None = None,
    *,
    dtype: str = "float32",
    local_only: bool = False,
    gguf_file: str | None = None,
    **placement: Any,
) -> PreTrainedModel:
    """Load a model, ready to evaluate.

    Arguments:
        source: a model's directory, or its name on the hub.
        kind: a key of `MODEL_CLASSES`; if not given, the config decides.
        dtype: one of `DTYPES`.
        local_only: do not ask the hub.
        gguf_file: name of the GGUF file in `source` that holds the weights, if one does.
        placement: `device_map` and related arguments of transformers' `from_pretrained`.

    Raises:
        FileNotFoundError: `source` is a path, and there is no such directory.
        ValueError: an unknown kind, or the model needs code of its own.
        OSError: files are missing or damaged; the message is that of transformers.
    """
    import transformers

    if _is_path(source) and not Path(source).is_dir():
        raise FileNotFoundError(f"no such model directory: {source}")
    if kind is None:
        class_name = _class_by_config(read_config(source))
    elif kind in MODEL_CLASSES:
        class_name = MODEL_CLASSES[kind]
    else:
        raise ValueError(f"unknown kind of model {kind!r}; known: {', '.join(MODEL_CLASSES)}")
    model: PreTrainedModel = getattr(transformers, class_name).from_pretrained(
        source,
        dtype=dtype,
        local_files_only=local_only,
        use_safetensors=True,
        trust_remote_code=False,
        **_given(gguf_file),
        **placement,
    )
    return model.eval()


def load_tokenizer(
    source: str | Path, *, local_only: bool = False, gguf_file: str | None = None
) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model; the arguments and errors are those of `load_model`."""
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        source, local_files_only=local_only, trust_remote_code=False, **_given(gguf_file)
    )
    return tokenizer


def load_reader(directory: Path, kind: str) -> PreTrainedTokenizerBase | ProcessorMixin:
    """Load what makes a model's inputs: a processor for a vision-language model, or a tokenizer.

    Arguments:
        directory: a model's directory.
        kind: a key of `MODEL_CLASSES`.
    """
    if kind == "vision_language":
        from las.hosts.processor import load_processor

        return load_processor(directory)
    return load_tokenizer(directory, local_only=True)


def is_language_model(model: nn.Module) -> bool:
    """Whether a model predicts the next token of a text."""
    return _is_causal(type(model).__name__)


def _class_by_config(config: Any) -> str:
    architecture = (config.architectures or [""])[0]
    if _is_causal(architecture):
        return "AutoModelForCausalLM"
    if config.is_encoder_decoder:
        return "AutoModelForSeq2SeqLM"
    if architecture.endswith("EncoderModel"):  # half of an encoder-decoder model
        return "AutoModelForTextEncoding"
    return "AutoModel"


def _is_causal(class_name: str) -> bool:
    return class_name.endswith(("ForCausalLM", "LMHeadModel"))


def _is_path(source: str | Path) -> bool:
    return str(source).startswith((".", "/", "~"))


def _given(gguf_file: str | None) -> dict[str, str]:
    return {} if gguf_file is None else {"gguf_file": gguf_file}
