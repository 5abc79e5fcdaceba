"""Tiny vision-language models with processors that go with them, and made-up image sets."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.processing_llava import LlavaProcessor

from las.evaluation.vlmeval.metrics import MME_PARTS
from tests.tiny_models.batches import FIRST_WORD, IMAGE_SIZE, PATCH
from tests.tiny_models.tiny_model import VOCABULARY

LLAVA_TOKENS = ["<image>", "<video>", "<start>", "<end>"]
QWEN_TOKENS = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
WORDS = ["yes", "no", "A", "B", "C", "D", "red", "green", "blue", "circle", "what", "is", "it"]
# What else a random model may say can be judged as well: punctuation does not count.
ANSWERS = [word + mark for mark in ".,:;!?)*" for word in ("yes", "no", "A", "B", "C", "D")]

PAPER_SETS = [
    "ScienceQA_TEST",
    "RealWorldQA",
    "BLINK",
    "POPE",
    "HallusionBench",
    "MMStar",
    "MME",
]


def tokenizer(vision: Sequence[str]) -> PreTrainedTokenizerFast:
    """One token per word; `vision` are those of images, in the order of the families' numbers."""
    words = ["<pad>", "<s>", "</s>", *vision, "<unk>", *WORDS, *ANSWERS][:VOCABULARY]
    assert len(words) == VOCABULARY and words[FIRST_WORD] == "yes"
    model = models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=list(vision),
    )


def llava_processor(chat_template: str | None = None) -> LlavaProcessor:
    """For the tiny LLaVA of the families."""
    side = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size=side, crop_size=side),
        tokenizer=tokenizer(LLAVA_TOKENS),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        image_token="<image>",
        num_additional_image_tokens=1,
        chat_template=chat_template,
    )


def qwen_processor() -> Any:
    """For the tiny Qwen2-VL of the families; it needs torchvision."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (
        Qwen2VLImageProcessorPil,
    )
    from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    sizes = dict(patch_size=PATCH, merge_size=2, temporal_patch_size=2)
    pixels = {"shortest_edge": 16 * 16, "longest_edge": 24 * 24}
    return Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessorPil(size=pixels, **sizes),
        tokenizer=tokenizer(QWEN_TOKENS),
        video_processor=Qwen2VLVideoProcessor(size=pixels, **sizes),
        chat_template=None,
    )


def picture(seed: int) -> str:
    """A PNG of noise, in base64."""
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG")
    return base64.b64encode(content.getvalue()).decode()


def choices(rows: int) -> pd.DataFrame:
    """A multiple-choice set."""
    return pd.DataFrame(
        {
            "index": range(rows),
            "image": [picture(i) for i in range(rows)],
            "question": ["what is it"] * rows,
            "A": "red",
            "B": "green",
            "C": "blue",
            "D": "circle",
            "answer": ["ABCD"[i % 4] for i in range(rows)],
            "category": ["even" if i % 2 else "odd" for i in range(rows)],
            "split": "val",
        }
    )


def pope(rows: int) -> pd.DataFrame:
    """Yes or no, in one or two categories."""
    return pd.DataFrame(
        {
            "index": range(rows),
            "image": [picture(i) for i in range(rows)],
            "question": ["is it red"] * rows,
            "answer": ["Yes" if i % 3 else "No" for i in range(rows)],
            "category": ["random" if i % 4 else "random,popular" for i in range(rows)],
        }
    )


def hallusion_bench() -> pd.DataFrame:
    """Two categories, three sets each, two figures a set, two questions a figure."""
    rows = [
        {
            "index": f"VD_{category}_{number}_{where}_{figure}_{asked}",
            "image": picture(7 * where + figure),
            "question": f"is it {'red' if asked else 'blue'}",
            "answer": "Yes" if (where + figure + asked) % 2 else "No",
            "category": "VD",
            "l2-category": category,
            "set_id": where,
            "figure_id": figure,
            "question_id": asked,
        }
        for number, category in enumerate(("chart", "map"))
        for where in range(3)
        for figure in range(2)
        for asked in range(2)
    ]
    return pd.DataFrame(rows)


def mme(images: int) -> pd.DataFrame:
    """So many images in each of the 14 categories, with two questions on each."""
    rows = [
        {
            "image": picture(100 * number + image),
            "image_path": f"{category}/{image}.jpg",
            "question": f"is it {'red' if answer == 'Yes' else 'blue'}",
            "answer": answer,
            "category": category,
        }
        for number, category in enumerate(chain(*MME_PARTS.values()))
        for image in range(images)
        for answer in ("Yes", "No")
    ]
    return pd.DataFrame(rows).assign(index=range(len(rows)))


MADE_UP: dict[str, Callable[[], pd.DataFrame]] = {
    "ScienceQA_TEST": lambda: choices(9),
    "RealWorldQA": lambda: choices(8),
    "BLINK": lambda: choices(7),
    "MMStar": lambda: choices(10),
    "POPE": lambda: pope(12),
    "HallusionBench": hallusion_bench,
    "MME": lambda: mme(2),
}


def write_sets(folder: Path, names: Sequence[str] = tuple(MADE_UP)) -> Path:
    """Write made-up sets under the names of real ones."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        MADE_UP[name]().to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    return folder
