from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from las.data.calibration import calibration_questions, calibration_texts, calibration_windows
from las.data.easy_vqa import read_questions
from las.data.wikipedia import split_of
from las.data.windows import evenly_spaced
from las.pretraining.vision_language import untrained
from tests.data.conftest import page
from tests.pretraining.seeing import ARCHITECTURES, IMAGE_SIZE

WriteDump = Callable[[list[str]], Path]
TITLES = [f"Title {i}" for i in range(40)]


def test_windows_come_from_calibration_pages_only(
    write_dump: WriteDump, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    dump = write_dump([page(title, f"{split_of(title)}. " * 4) for title in TITLES])
    batches = list(calibration_windows(dump, byte_tokenizer, count=10, length=16, batch_size=4))
    assert [tuple(batch["input_ids"].shape) for batch in batches] == [(4, 16), (4, 16), (2, 16)]
    text = "".join(byte_tokenizer.decode(row) for b in batches for row in b["input_ids"])
    assert "calibration" in text and "held-out" not in text


def test_texts_are_titles_and_paragraphs(
    write_dump: WriteDump, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    dump = write_dump([page("Anarchism", "First paragraph.\n\nThe second paragraph.")])
    (batch,) = calibration_texts(dump, byte_tokenizer, count=3, length=99, batch_size=8)
    rows = [
        byte_tokenizer.decode(row[mask.bool()])
        for row, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)
    ]
    assert rows == ["Anarchism", "First paragraph.", "The second paragraph."]


def test_too_few_texts_are_an_error(
    write_dump: WriteDump, byte_tokenizer: PreTrainedTokenizerFast
) -> None:
    dump = write_dump([page("Anarchism", "One paragraph.")])
    with pytest.raises(ValueError, match="only 2"):
        list(calibration_texts(dump, byte_tokenizer, count=3, length=99, batch_size=8))


def test_questions_are_of_the_training_split_with_their_answers(shapes: Path) -> None:
    texts = ["what color is the shape? is there a circle? rectangle red blue yes no"]
    _, processor = untrained(ARCHITECTURES["llava"], IMAGE_SIZE, texts, seed=0)
    batches = list(calibration_questions(shapes, processor, count=10, batch_size=4))
    assert [len(batch["input_ids"]) for batch in batches] == [4, 4, 2]
    chosen = evenly_spaced(read_questions(shapes, "train"), 10)
    rows = [row for batch in batches for row in batch["input_ids"]]
    for row, question in zip(rows, chosen, strict=True):
        text = processor.decode(row, skip_special_tokens=True)
        assert text.replace(" ?", "?").endswith(f"{question.text} {question.answer}")
    with pytest.raises(ValueError, match="only 72"):
        list(calibration_questions(shapes, processor, count=1000, batch_size=4))
