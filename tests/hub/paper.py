"""The repositories that the paper's tables need, laid out as they are, with tiny contents.

Names, revisions, names of files, architectures and columns are those of the hub; every model has
one or two narrow layers with random weights, every data set a few items.
"""

from __future__ import annotations

import bz2
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    BertForSequenceClassification,
    BloomForCausalLM,
    GPT2LMHeadModel,
    GPTNeoXForCausalLM,
    OPTForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5ForConditionalGeneration,
)

from las.data.glue import GLUE
from las.data.wikipedia import split_of
from las.pretraining.vision_language import untrained
from tests.hub.server import Hub
from tests.pretraining.seeing import ARCHITECTURES, IMAGE_SIZE
from tests.tiny_models import plain

OPT = {
    "2.7b": "refs/pr/26",
    "6.7b": "refs/pr/31",
    "13b": "refs/pr/28",
    "30b": "main",
    "66b": "refs/pr/28",
}
"""Sizes of OPT, and the revisions with their safetensors."""

WORDS = "what is the color of this shape red blue circle rectangle yes no a b c d"


def publish_language_models(hub: Hub, folder: Path) -> None:
    """The ten models of Table 1."""
    bpe = _byte_pairs()
    for size, revision in OPT.items():
        place = folder / f"opt-{size}"
        model = _tiny(OPTForCausalLM, dtype=torch.float16, max_position_embeddings=256)
        shards = "4KB" if size == "66b" else "1TB"
        model.save_pretrained(place, max_shard_size=shards)
        _write_gpt2_tokenizer(place, bpe)
        (place / "pytorch_model.bin").write_bytes(b"pickled")
        hub.publish(f"facebook/opt-{size}", place, revision=revision)
        if revision != "main":
            for file in place.glob("model*.safetensors*"):
                file.unlink()
            hub.publish(f"facebook/opt-{size}", place)
    for name, kind, dtype in (
        ("EleutherAI/pythia-12b", GPTNeoXForCausalLM, torch.float16),
        ("EleutherAI/gpt-neox-20b", GPTNeoXForCausalLM, torch.float16),
        ("bigscience/bloom", BloomForCausalLM, torch.bfloat16),
    ):
        place = folder / name.replace("/", "-")
        _tiny(kind, dtype=dtype).save_pretrained(place, max_shard_size="8KB")
        bpe.save_pretrained(place)
        hub.publish(name, place)
    for name, revision in (("seonghyeonye/flipped_11B", "refs/pr/1"), ("bigscience/T0", "main")):
        place = folder / name.replace("/", "-")
        model = _tiny(T5ForConditionalGeneration, dtype=torch.float32, decoder_start_token_id=0)
        model.save_pretrained(place, max_shard_size="16KB")
        hub.publish(name, place, revision=revision)
    place = folder / "t5-base"
    _sentence_pieces().save_pretrained(place)
    hub.publish("google-t5/t5-base", place)


def publish_zero_shot(hub: Hub) -> None:
    """The seven data sets of Table 1, with the splits that lm-eval loads."""
    arc = {
        "id": ["1", "2"],
        "question": ["What is red?", "What is wet?"],
        "choices": [{"text": ["fire", "ice"], "label": ["A", "B"]}] * 2,
        "answerKey": ["A", "B"],
    }
    book = {**arc, "question_stem": arc["question"]}
    piqa = {"goal": ["to eat", "to go"], "sol1": ["a fork", "a car"], "sol2": ["a pen", "a bed"]}
    grande = {"sentence": ["Al met Bo and _ left.", "_ saw it."], "option1": ["Al", "It"]}
    copa = {"premise": ["It rained.", "He fell."], "choice1": ["It was wet.", "He ran."]}
    rte = {"sentence1": ["It is red.", "It is wet."], "sentence2": ["It has a color."] * 2}
    numbered: dict[str, Any] = {"idx": [0, 1], "label": [0, 1]}
    copa |= {"choice2": ["It was dry.", "He stood."], "question": ["effect", "cause"]} | numbered
    every = ("train", "validation", "test")
    _publish_set(hub, "baber/piqa", {"data": (piqa | {"label": [0, 1]}, every)}, named=False)
    _publish_set(hub, "allenai/ai2_arc", {"ARC-Easy": (arc, every)})
    _publish_set(hub, "allenai/openbookqa", {"main": (book, every)})
    options = grande | {"option2": ["Bo", "He"], "answer": ["1", "2"]}
    _publish_set(hub, "allenai/winogrande", {"winogrande_xl": (options, every)})
    _publish_set(hub, "aps/super_glue", {"copa": (copa, every)})
    wsc = {
        "text": ["The cup is in the bag and it is red.", "Ann saw Eva when she came."],
        "pronoun": ["it", "she"],
        "pronoun_loc": [26, 17],
        "quote": ["it is red", "she came"],
        "quote_loc": [26, 17],
        "options": [["The cup", "The bag"], ["Ann", "Eva"]],
        "label": [0, 1],
        "source": ["made up"] * 2,
    }
    _publish_set(hub, "lighteval/winograd_wsc", {"wsc273": (wsc, ("test",))})
    sets: dict[str, tuple[dict[str, Any], Sequence[str]]] = {"rte": (rte | numbered, every)}
    for task in GLUE.keys() - {"rte"}:
        columns = {name: ["It is red.", "It is wet."] for name in GLUE[task].texts[0]}
        labels = {"label": [1.5, 4.0]} if task == "stsb" else {"label": [0, 1]}
        split = "validation_matched" if task == "mnli" else "validation"
        repeated = {name: values * 3 for name, values in (columns | labels).items()}
        sets[task] = (repeated, ("train", split))
    _publish_set(hub, "nyu-mll/glue", sets)


def publish_gpt2(hub: Hub, folder: Path) -> None:
    """GPT-2 as it was first written, with weights that have no prefix and masks among them."""
    place = folder / "gpt2"
    _tiny(GPT2LMHeadModel, n_positions=256).save_pretrained(place)
    weights = load_file(place / "model.safetensors")
    bare = {name.removeprefix("transformer."): value for name, value in weights.items()}
    mask = torch.ones(256, 256).tril()[None, None]
    bare |= {f"h.{layer}.attn.bias": mask.clone() for layer in range(2)}
    save_file(bare, place / "model.safetensors", metadata={"format": "pt"})
    bpe = _byte_pairs()
    _write_gpt2_tokenizer(place, bpe)
    bpe.backend_tokenizer.save(str(place / "tokenizer.json"))
    hub.publish("openai-community/gpt2", place)
    text = {"text": ["", " = Title = \n", "", "The cup is red, and the bag is blue. \n" * 20]}
    _publish_set(hub, "Salesforce/wikitext", {"wikitext-103-raw-v1": (text, ("train", "test"))})


def publish_classifiers(hub: Hub, folder: Path) -> None:
    """The seven checkpoints of Table 3."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS.split(), "It", "wet", "."]
    for task, described in GLUE.items():
        place = folder / f"bert-{task}"
        labels = max(1, len(described.labels))
        model = plain.make(BertForSequenceClassification, num_labels=labels)
        model.save_pretrained(place)
        (place / "vocab.txt").write_text("\n".join(words))
        told = {"tokenizer_class": "BertTokenizer", "do_lower_case": False}
        (place / "tokenizer_config.json").write_text(json.dumps(told))
        hub.publish(f"lgccccc/bert-las-{task}", place)


def publish_vision_language(hub: Hub, folder: Path) -> None:
    """The two models of Table 4."""
    for name, family, dtype in (
        ("llava-hf/llava-1.5-7b-hf", "llava", torch.float16),
        ("Qwen/Qwen2-VL-7B-Instruct", "qwen2_vl", torch.bfloat16),
    ):
        place = folder / family
        model, processor = untrained(ARCHITECTURES[family], IMAGE_SIZE, [WORDS], seed=0)
        model.to(dtype).save_pretrained(place, max_shard_size="64KB")
        processor.save_pretrained(place)
        hub.publish(name, place)


def write_own_files(folder: Path) -> None:
    """What the hub has not, in a directory of the user's: a Wikipedia dump and Enwik8."""
    dump = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
    pages = "".join(
        f"  <page>\n    <title>T{i}</title>\n    <ns>0</ns>\n"
        f"    <text>Page {i} is for {split_of(f'T{i}')}, and is long enough.</text>\n  </page>\n"
        for i in range(80)
    )
    (folder / "wikipedia").mkdir(parents=True)
    text = f"<mediawiki>\n{pages}</mediawiki>\n".encode()
    (folder / "wikipedia" / dump).write_bytes(bz2.compress(text))
    (folder / "enwik8").mkdir()
    (folder / "enwik8" / "enwik8").write_bytes(text[:2000])


def _tiny(kind: type[PreTrainedModel], dtype: torch.dtype = torch.float32, **options: Any) -> Any:
    return plain.make(kind, vocab_size=300, num_hidden_layers=2, **options).to(dtype)


def _byte_pairs() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<s>", "<pad>", "</s>", "<unk>", *alphabet]
    backend = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def _sentence_pieces() -> PreTrainedTokenizerFast:
    names = ["<pad>", "</s>", "<unk>", "▁", *map(chr, range(33, 127))]
    backend = Tokenizer(models.Unigram([(name, -1.0) for name in names], unk_id=2))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def _write_gpt2_tokenizer(place: Path, bpe: PreTrainedTokenizerFast) -> None:
    """The files of the slow tokenizer, which is all that OPT's repositories have."""
    (place / "vocab.json").write_text(json.dumps(bpe.get_vocab()))
    (place / "merges.txt").write_text("#version: 0.2\n")
    told = {
        "tokenizer_class": "GPT2Tokenizer",
        "bos_token": "</s>",
        "eos_token": "</s>",
        "unk_token": "</s>",
        "pad_token": "<pad>",
    }
    (place / "tokenizer_config.json").write_text(json.dumps(told))
    (place / "special_tokens_map.json").write_text(json.dumps({"bos_token": "</s>"}))


def _publish_set(
    hub: Hub,
    name: str,
    subsets: dict[str, tuple[dict[str, Any], Sequence[str]]],
    named: bool = True,
) -> None:
    """A data set as parquet files, with the card that names its subsets."""
    files, configs = {}, []
    for subset, (columns, splits) in subsets.items():
        content = io.BytesIO()
        pyarrow.parquet.write_table(pa.table(columns), content)
        for split in splits:
            files[f"{subset}/{split}-00000-of-00001.parquet"] = content.getvalue()
        described = [{"split": split, "path": f"{subset}/{split}-*"} for split in splits]
        configs.append({"config_name": subset, "data_files": described})
    card = f"---\nconfigs: {json.dumps(configs)}\n---\n" if named else "# A data set\n"
    files["README.md"] = card.encode()
    hub.publish(name, files, kind="datasets")
