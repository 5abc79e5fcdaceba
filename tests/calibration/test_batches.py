"""Calibration batches of every form: which are read, and what is said of the others."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset
from transformers import BatchEncoding, BatchFeature, DynamicCache, T5ForConditionalGeneration

from las.calibration.batches import Tokens, check_batch, check_iterable, numbered, peek, running_on
from las.errors import CalibrationError, UnsupportedModelError
from tests import tiny_models
from tests.tiny_models import TINY_MODELS, plain

IDS = torch.arange(40).view(2, 20)
ONES = torch.ones_like(IDS)
EMBEDDED = torch.ones(2, 20, 16)
TRIANGLE = torch.ones(20, 20).tril()[None, None].expand(2, 1, 20, 20)


@pytest.fixture(scope="module")
def llama() -> nn.Module:
    return plain.llama()


@pytest.fixture(scope="module")
def t5() -> nn.Module:
    return plain.make(T5ForConditionalGeneration, pad_token_id=0, decoder_start_token_id=0)


def with_nan(shape: tuple[int, ...]) -> Tensor:
    x = torch.zeros(shape)
    x.view(-1)[-1] = torch.nan
    return x


NO_LIST: list[tuple[Any, str]] = [
    (None, "None was given instead of a list"),
    (7, "7 was given"),
    (2.5, "2.5 was given"),
    (True, "True was given"),
    ("some text", "'some text' was given"),
    (b"bytes", "a bytes was given"),
    ({"input_ids": IDS}, r"a dict was given .* put it in a list"),
    (BatchEncoding({"input_ids": IDS}), "a BatchEncoding was given .* put it in a list"),
    (IDS, "a Tensor was given"),
    (IDS.numpy(), "an? ndarray was given"),
    (len, "a builtin_function_or_method was given"),
    (nn.Linear(1, 1), "a Linear was given"),
    (dict, "the class dict was given"),
]

NO_BATCH: list[tuple[Any, str]] = [
    ("some text", r"is a text, 'some text': .* return_tensors='pt'"),
    (np.str_("text"), "is a text"),
    (None, "is None: a batch is a dict"),
    (3, "is 3: a batch is a dict"),
    (IDS, "is a Tensor: a batch is a dict"),
    (IDS.numpy(), "is an? ndarray"),
    ((IDS, ONES), "is a tuple"),
    ([IDS], "is a list"),
    (IDS.tolist(), "is a list"),
    ({"input_ids": IDS.tolist()}, "input_ids is a list, and has to be a tensor"),
    ({"input_ids": IDS.numpy()}, "input_ids is an? ndarray"),
    ({"input_ids": "text"}, "input_ids is 'text'"),
    ({"input_ids": 5}, "input_ids is 5"),
    ({"input_ids": [IDS]}, "input_ids is a list"),
    ({"input_ids": IDS, "attention_mask": ONES.tolist()}, "attention_mask is a list"),
    ({"input_ids": IDS, "attention_mask": True}, "attention_mask is True"),
    ({"input_ids": IDS, "labels": [1, 2]}, "labels is a list"),
    ({"input_ids": IDS, "extra": np.ones(3)}, "extra is an? ndarray"),
    ({"input_ids": IDS, "pixel_values": [np.ones((3, 4, 4))]}, "pixel_values is a list"),
    ({"input_ids": torch.tensor(3)}, r"input_ids has the shape \(\), and needs 2"),
    ({"input_ids": IDS[0]}, r"input_ids has the shape \(20,\), and needs 2 dimensions"),
    ({"input_ids": IDS, "attention_mask": ONES[0]}, r"attention_mask has the shape \(20,\)"),
    ({"inputs_embeds": EMBEDDED[0]}, r"inputs_embeds has the shape \(20, 16\), and needs 3"),
    ({"pixel_values": torch.ones(5)}, r"pixel_values has the shape \(5,\)"),
    ({"input_values": torch.ones(5)}, r"input_values has the shape \(5,\)"),
    ({"input_ids": IDS.float()}, "input_ids is torch.float32, and has to be torch.int64"),
    ({"input_ids": IDS.bool()}, "input_ids is torch.bool"),
    ({"input_ids": IDS.to(torch.uint8)}, "input_ids is torch.uint8"),
    ({"inputs_embeds": EMBEDDED.long()}, "inputs_embeds is torch.int64, and has to be floating"),
    ({"pixel_values": torch.zeros(1, 3, 4, 4, dtype=torch.uint8)}, "pixel_values is torch.uint8"),
    ({"input_ids": IDS + 60}, "input_ids holds 99, and the model's vocabulary is 0 to 98"),
    ({"input_ids": IDS - 1}, "input_ids holds -1, and the model's vocabulary is 0 to 98"),
    ({"input_ids": IDS.int() + 200}, "input_ids holds 239"),
    (
        {"input_ids": IDS, "attention_mask": ONES[:, :10]},
        r"attention_mask has the shape \(2, 10\), and input_ids \(2, 20\)",
    ),
    ({"input_ids": IDS, "attention_mask": ONES[:1]}, r"the shape \(1, 20\), and input_ids"),
    ({"inputs_embeds": EMBEDDED, "attention_mask": ONES[:1]}, r"inputs_embeds \(2, 20, 16\)"),
    (
        {"input_ids": IDS, "decoder_input_ids": IDS[:, :4], "decoder_attention_mask": ONES},
        r"decoder_attention_mask has the shape \(2, 20\), and decoder_input_ids \(2, 4\)",
    ),
    ({"inputs_embeds": with_nan((2, 20, 16))}, "inputs_embeds holds NaN or infinite"),
    ({"pixel_values": with_nan((1, 3, 4, 4))}, "pixel_values holds NaN or infinite"),
    ({"input_features": 1 / torch.zeros(1, 4, 9)}, "input_features holds NaN or infinite"),
    ({"input_ids": IDS, "pixel_values": with_nan((1, 3, 4, 4))}, "pixel_values holds NaN"),
    ({"input_ids": IDS.to_sparse()}, "input_ids is a torch.sparse_coo tensor"),
    ({"input_ids": torch.nested.nested_tensor([IDS[0], IDS[1]])}, "input_ids is a nested tensor"),
    ({"input_ids": IDS.to("meta")}, "input_ids is on the meta device"),
    ({}, "needs input_ids, or one of .*, got nothing"),
    ({"labels": IDS}, "needs input_ids, or one of .*, got labels"),
    ({"input_ids": None, "labels": IDS}, "needs input_ids, or one of .*, got input_ids, labels"),
    ({"ids": IDS}, "needs input_ids, or one of .*pixel_values.*, got ids"),
    ({0: IDS, "x": IDS}, "needs input_ids, or one of .*, got 0, x"),
    ({"input_ids": IDS, "attention_masks": ONES}, "'attention_masks' is no argument that Llama"),
    ({"input_ids": IDS, 3: ONES}, "3 is no argument that LlamaForCausalLM reads"),
    ({"attention_mask": ONES}, "needs input_ids"),
    ({"pixel_values": [torch.ones(3, 4, 4)]}, "pixel_values without a text beside it"),
]


@pytest.mark.parametrize(("given", "message"), NO_LIST)
def test_what_is_no_list_of_batches(given: Any, message: str, llama: nn.Module) -> None:
    for read in (lambda: check_iterable(given), lambda: peek(llama, given)):
        with pytest.raises(CalibrationError, match=message) as raised:
            read()
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("batch", "message"), NO_BATCH)
@pytest.mark.parametrize("before", [0, 2])
def test_a_wrong_batch_is_named_by_its_number(
    batch: Any, message: str, before: int, llama: nn.Module
) -> None:
    batches = [*plain.batches(before), batch]
    with pytest.raises(CalibrationError, match=f"^calibration batch {before}.*{message}") as raised:
        list(numbered(llama, batches))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 250


FINE: dict[str, tuple[Callable[[], Any], int]] = {
    "ids": (lambda: {"input_ids": IDS}, 40),
    "int32": (lambda: {"input_ids": IDS.int()}, 40),
    "no labels": (lambda: {"input_ids": IDS, "labels": None}, 40),
    "a mask": (lambda: {"input_ids": IDS, "attention_mask": IDS > 4}, 35),
    "a mask of numbers": (lambda: {"input_ids": IDS, "attention_mask": (IDS > 4).float()}, 35),
    "a mask of pairs": (lambda: {"input_ids": IDS, "attention_mask": TRIANGLE}, 40),
    "a boolean mask of pairs": (lambda: {"input_ids": IDS, "attention_mask": TRIANGLE.bool()}, 40),
    "no mask": (lambda: {"input_ids": IDS, "attention_mask": None}, 40),
    "embedded": (lambda: {"input_ids": None, "inputs_embeds": EMBEDDED}, 40),
    "embedded, with a mask": (lambda: {"inputs_embeds": EMBEDDED, "attention_mask": IDS > 4}, 35),
    "NaN in padding": (
        lambda: {"inputs_embeds": with_nan((2, 20, 16)), "attention_mask": IDS < 39},
        39,
    ),
    "options": (lambda: {"input_ids": IDS, "use_cache": False, "logits_to_keep": np.int64(1)}, 40),
    "positions": (lambda: {"input_ids": IDS, "position_ids": torch.arange(20)}, 40),
    "an argument of a part alone": (lambda: {"input_ids": IDS, "hidden_states": EMBEDDED}, 40),
    "an argument of all models": (lambda: {"input_ids": IDS, "cu_seq_lens_q": ONES}, 40),
    "types": (lambda: {"input_ids": IDS, "token_type_ids": ONES}, 40),
    "labels": (lambda: {"input_ids": IDS, "labels": torch.zeros(2)}, 40),
    "boxes": (lambda: {"input_ids": IDS, "labels": [{"boxes": ONES}]}, 40),
    "images of two sizes": (
        lambda: {"input_ids": IDS, "pixel_values": [torch.ones(3, 4, 4), torch.ones(3, 8, 8)]},
        40,
    ),
    "ids that stand for images": (
        lambda: {"input_ids": IDS + 90, "pixel_values": torch.ones(2, 3, 4, 4)},
        40,
    ),
    "a cache": (
        lambda: {
            "input_ids": IDS,
            "attention_mask": torch.ones(2, 25),
            "past_key_values": DynamicCache(),
        },
        50,
    ),
    "a BatchEncoding": (lambda: BatchEncoding({"input_ids": IDS}), 40),
    "a BatchFeature": (lambda: BatchFeature({"input_values": torch.ones(2, 30)}), 60),
    "any mapping": (lambda: UserDict({"input_ids": IDS}), 40),
}


@pytest.mark.parametrize("form", FINE)
def test_a_batch_as_it_may_be(form: str, llama: nn.Module) -> None:
    make, count = FINE[form]
    batch = make()
    ((name, same, tokens),) = numbered(llama, [batch])
    assert name == "calibration batch 0"
    assert same is batch
    assert tokens.count == count


@pytest.mark.parametrize("name", sorted(TINY_MODELS))
def test_the_batches_of_every_family_are_fine(name: str) -> None:
    """Held against models whose embeddings say how many ids there are."""
    (batch,) = tiny_models.batches(name, 1)
    check_batch(tiny_models.build(name), batch, "the batch")


EMPTY: list[dict[str, Tensor]] = [
    {"input_ids": IDS[:0]},
    {"input_ids": IDS[:, :0]},
    {"input_ids": IDS[:0], "attention_mask": ONES[:0]},
    {"input_ids": IDS, "attention_mask": 0 * ONES},
    {"inputs_embeds": EMBEDDED[:0]},
    {"inputs_embeds": EMBEDDED, "attention_mask": 0 * ONES},
    {"pixel_values": torch.ones(0, 3, 4, 4)},
    {"input_values": torch.ones(2, 0)},
    {"input_features": torch.ones(0, 4, 9)},
]


@pytest.mark.parametrize("empty", EMPTY)
def test_a_batch_without_tokens_is_passed_over_and_counted_on(empty: Any, llama: nn.Module) -> None:
    first, second = plain.batches(2)
    found = list(numbered(llama, [empty, first, empty, second]))
    assert [name for name, _, _ in found] == ["calibration batch 1", "calibration batch 3"]
    assert [batch for _, batch, _ in found] == [first, second]


def test_of_an_encoder_and_a_decoder_both_count(t5: nn.Module) -> None:
    labels = torch.full((2, 7), 5)
    labels[1, 4:] = -100
    asked = {"input_ids": IDS, "attention_mask": IDS > 4}
    masked = {"decoder_input_ids": IDS[:, :7], "decoder_attention_mask": IDS[:, :7] < 23}
    counts = {}
    for form, written in {
        "labels": {"labels": labels},
        "ids": {"decoder_input_ids": IDS[:, :7]},
        "masked": masked,
        "embedded": {"decoder_inputs_embeds": EMBEDDED[:, :7]},
        "nothing": {},
    }.items():
        ((_, _, tokens),) = numbered(t5, [asked | written])
        counts[form] = tokens.count - 35
        assert tokens.keep is not None
    assert counts == {"labels": 11, "ids": 14, "masked": 10, "embedded": 14, "nothing": 35}


def test_where_a_decoder_reads_nothing_there_is_no_pass(t5: nn.Module) -> None:
    assert not list(numbered(t5, [{"input_ids": IDS, "decoder_input_ids": IDS[:, :0]}]))


def test_nothing_is_kept_apart_where_there_is_no_padding(llama: nn.Module) -> None:
    ((_, _, tokens),) = numbered(llama, [{"input_ids": IDS, "attention_mask": ONES}])
    assert tokens == Tokens(40)


class TestPeek:
    EMPTY = staticmethod(lambda: {"input_ids": IDS[:0]})

    def test_a_list_is_left_alone(self, llama: nn.Module) -> None:
        batches = [self.EMPTY(), *plain.batches(2)]
        first, again = peek(llama, batches)
        assert first == ("calibration batch 1", batches[1])
        assert again is batches

    def test_of_a_generator_no_batch_is_lost(self, llama: nn.Module) -> None:
        batches = [self.EMPTY(), *plain.batches(3)]
        first, again = peek(llama, iter(batches))
        assert first == ("calibration batch 1", batches[1])
        assert list(again) == batches

    @pytest.mark.parametrize("batches", [[], iter(()), [{"input_ids": IDS[:0]}]])
    def test_where_there_is_none(self, llama: nn.Module, batches: Any) -> None:
        first, again = peek(llama, batches)
        assert first is None
        assert len(list(again)) <= 1

    def test_no_more_is_read_than_it_takes(self, llama: nn.Module) -> None:
        def once() -> Iterator[Any]:
            yield plain.batches(1)[0]
            raise OSError("the disk is gone")

        _, again = peek(llama, once())
        with pytest.raises(OSError, match="the disk is gone"):
            list(again)

    def test_a_loader_that_does_not_know_its_length(self, llama: nn.Module) -> None:
        class Stream(IterableDataset[Any]):
            def __iter__(self) -> Iterator[Any]:
                yield from plain.batches(2)

        first, again = peek(llama, DataLoader(Stream(), batch_size=None))
        assert first is not None
        assert len(list(again)) == 2

    def test_a_set_of_numbered_batches(self, llama: nn.Module) -> None:
        class Numbered:
            def __getitem__(self, index: int) -> Any:
                return plain.batches(3)[index]

        first, again = peek(llama, Numbered())
        assert first is not None
        assert len(list(again)) == 3


class TestRunningOn:
    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (TypeError("no keyword 'foo'"), "TypeError: no keyword 'foo'"),
            (RuntimeError("first\nsecond"), "RuntimeError: first"),
            (IndexError(), "IndexError: "),
        ],
    )
    def test_what_a_model_says_is_handed_on(self, error: Exception, said: str) -> None:
        with pytest.raises(CalibrationError) as raised, running_on(nn.Linear(1, 1), "batch 3"):
            raise error
        assert str(raised.value) == f"Linear does not run on batch 3: {said}"
        assert raised.value.__cause__ is error

    @pytest.mark.parametrize(
        "error",
        [
            KeyboardInterrupt(),
            SystemExit(1),
            UnsupportedModelError("no"),
            CalibrationError("no"),
            MemoryError(),
            torch.OutOfMemoryError("no memory"),
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8 bytes"),
        ],
    )
    def test_other_errors_stay_what_they_are(self, error: BaseException) -> None:
        with pytest.raises(type(error)) as raised, running_on(nn.Linear(1, 1), "batch 3"):
            raise error
        assert raised.value is error
