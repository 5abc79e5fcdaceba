"""A fetched model as the Hugging Face directory that every later stage reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from las.assets.asset import RECORD, missing_files
from las.errors import AssetError
from las.files.atomic import atomic_directory
from las.files.contents import check_contents, keep_checksums
from las.files.links import link_or_copy
from las.hosts.loading import DTYPES, MODEL_CLASSES, load_model, load_tokenizer

PROCESSOR_FILES = ("*processor_config.json", "chat_template*")
"""The files of a processor beside those of its tokenizer, as glob patterns."""

INDEX = "model.safetensors.index.json"
"""Which of several files holds which weight."""


def materialise_model(
    source: Path, target: Path, kind: str, gguf_file: str | None = None, dtype: str = "float32"
) -> Path:
    """Write config, tokenizer and weights into `target`.

    In float32, weights are written anew as one `model.safetensors`. In half precision, which large
    models are read in, the files of a Hugging Face directory are linked as they are, however many
    hold its weights.

    The processor of a vision-language model comes along as it is.

    Arguments:
        source: Folder of a fetched asset: a Hugging Face directory with safetensors, or a folder
            with a GGUF file, whose quantised weights are expanded.
        target: The directory to write, whole or not at all; done already if it is newer in
            content, that is, if it carries the record of the same fetched asset.
        kind: A key of `las.hosts.loading.MODEL_CLASSES`.
        gguf_file: Name of the GGUF file. It is used if `source` holds it; another source of the
            same model may hold safetensors instead.
        dtype: One of `las.hosts.loading.DTYPES`.

    Raises:
        AssetError: `source` lacks weights, or `kind` or `dtype` is unknown.
    """
    if kind not in MODEL_CLASSES:
        raise AssetError(f"unknown kind of model {kind!r}; known: {', '.join(MODEL_CLASSES)}")
    if dtype not in DTYPES:
        raise AssetError(f"unknown dtype {dtype!r}; known: {', '.join(DTYPES)}")
    record = source / RECORD
    expand = gguf_file is not None and (source / gguf_file).is_file()
    as_it_is = dtype != "float32" and not expand
    config = source / "config.json"
    if not _lacking(target) and _same(record, target / RECORD) and _intact(target):
        written_as = json.loads((target / "config.json").read_text()).get("dtype")
        if _same(config, target / "config.json") if as_it_is else written_as == dtype:
            return target
    if not expand and (lacking := _lacking(source)):
        raise AssetError(
            f"{source} lacks {', '.join(lacking)}. Pickled weights (*.bin) are never read: if the"
            " hub repository has no others on this branch, name one that has in hub.revision of"
            " the model's config, such as refs/pr/7 (the pull request that"
            " https://huggingface.co/spaces/safetensors/convert opens)"
        )
    if as_it_is:
        with atomic_directory(target) as partial:
            for file in source.rglob("*"):
                if file.is_file():
                    link_or_copy(file, partial / file.relative_to(source))
            keep_checksums(partial)
        return target

    packed = gguf_file if expand else None
    tokenizer = load_tokenizer(source, local_only=True, gguf_file=packed)
    model = load_model(source, kind, dtype=dtype, local_only=True, gguf_file=packed)
    if packed:
        # The weights are expanded now; without this the saved model would claim to be GGUF still.
        model.hf_quantizer = None
        del model.config.quantization_config
    with atomic_directory(target) as partial:
        model.save_pretrained(partial, max_shard_size="1TB")
        tokenizer.save_pretrained(partial)
        if kind == "vision_language":
            for pattern in PROCESSOR_FILES:
                for file in source.glob(pattern):
                    shutil.copyfile(file, partial / file.name)
        if record.is_file():
            shutil.copyfile(record, partial / RECORD)
        keep_checksums(partial)
    return target


def _lacking(folder: Path) -> list[str]:
    """What a Hugging Face directory needs and has not, several files of weights included."""
    lacking = missing_files(folder, ["config.json", "*.safetensors"])
    if (folder / INDEX).is_file():
        files = set(json.loads((folder / INDEX).read_text())["weight_map"].values())
        lacking += sorted(name for name in files if not (folder / name).is_file())
    return lacking


def _intact(folder: Path) -> bool:
    try:
        check_contents(folder)
    except AssetError:
        return False
    return True


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()
