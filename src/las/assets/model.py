"""A fetched model as the float32 Hugging Face directory that every later stage reads."""

from __future__ import annotations

import shutil
from pathlib import Path

from las.assets.asset import RECORD, missing_files
from las.assets.files import whole_directory
from las.errors import AssetError

PROCESSOR_FILES = ("*processor_config.json", "chat_template*")
"""The files of a processor beside those of its tokenizer, as glob patterns."""

MODEL_CLASSES = {
    "causal_lm": "AutoModelForCausalLM",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "encoder": "AutoModel",
    "classifier": "AutoModelForSequenceClassification",
    "vision_language": "AutoModelForImageTextToText",
}
"""What a model is used as -> the transformers class that loads it."""


def materialise_model(source: Path, target: Path, kind: str, gguf_file: str | None = None) -> Path:
    """Write config, tokenizer and one float32 `model.safetensors` into `target`.

    The processor of a vision-language model comes along as it is.

    Arguments:
        source: Folder of a fetched asset: a Hugging Face directory with safetensors, or a folder
            with a GGUF file, whose quantised weights are expanded.
        target: The directory to write, whole or not at all; done already if it is newer in
            content, that is, if it carries the record of the same fetched asset.
        kind: A key of `MODEL_CLASSES`.
        gguf_file: Name of the GGUF file. It is used if `source` holds it; another source of the
            same model may hold safetensors instead.

    Raises:
        AssetError: `source` lacks the weights, or `kind` is unknown.
    """
    if kind not in MODEL_CLASSES:
        raise AssetError(f"unknown kind of model {kind!r}; known: {', '.join(MODEL_CLASSES)}")
    record = source / RECORD
    if not missing_files(target, ["config.json", "model.safetensors"]) and _same(
        record, target / RECORD
    ):
        return target
    if gguf_file is not None and (source / gguf_file).is_file():
        how = {"gguf_file": gguf_file}
    else:
        how = {}
        lacking = missing_files(source, ["config.json", "*.safetensors"])
        if lacking:
            raise AssetError(
                f"{source} lacks {', '.join(lacking)}. Pickled weights (*.bin) are never read: if"
                " the hub repository has no others on this branch, name one that has in"
                " hub.revision of the model's config, such as refs/pr/7 (the pull request that"
                " https://huggingface.co/spaces/safetensors/convert opens)"
            )

    import torch
    import transformers

    model_class = getattr(transformers, MODEL_CLASSES[kind])
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, **how)
    model = model_class.from_pretrained(source, dtype=torch.float32, **how)
    if how:
        # The weights are float32 now; without this the saved model would claim to be GGUF still.
        model.hf_quantizer = None
        del model.config.quantization_config
    with whole_directory(target) as partial:
        model.save_pretrained(partial, max_shard_size="1TB")
        tokenizer.save_pretrained(partial)
        if kind == "vision_language":
            for pattern in PROCESSOR_FILES:
                for file in source.glob(pattern):
                    shutil.copyfile(file, partial / file.name)
        if record.is_file():
            shutil.copyfile(record, partial / RECORD)
    return target


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()
