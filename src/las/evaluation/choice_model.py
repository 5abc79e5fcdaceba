"""An in-memory model as lm-eval sees it, with padding masked out of the forward pass."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from torch.nn.utils.rnn import pad_sequence
from tqdm.auto import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from las.evaluation.checks import require_finite
from las.evaluation.processes import ALONE, Processes
from las.hosts.offload import input_device

Request = tuple[Any, list[int], list[int]]
Input = tuple[tuple[int, ...], ...]
"""Tokens of one forward pass: of a causal model, or of an encoder and of its decoder."""


class ChoiceModel(HFLM):
    """HFLM whose log-likelihoods come from masked batches.

    HFLM pads without an attention mask: a causal model's figures do not change by that, but a
    spiking model would emit, and count, spikes for padding. Log-softmax is in float64, and over
    the continuation only. Requests that need the same forward pass share it. An encoder-decoder
    model reads the context with its encoder and predicts the continuation with its decoder.

    Several processes cut the same batches as one, and each takes its share of them, so that every
    answer is the same to the bit; lm-eval sees all answers in each of them.

    Attributes:
        seconds: time spent in the model's forward passes, by the slowest process.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        which: str,
        batch_size: int,
        processes: Processes = ALONE,
    ) -> None:
        """Wrap `model`; `which` ("ANN" or "SNN") names it in progress bars and errors."""
        super().__init__(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)
        self._device = input_device(model)
        self.which = which
        self.processes = processes
        self.seconds = 0.0

    @torch.no_grad()
    def _loglikelihood_tokens(
        self,
        requests: list[Request],
        disable_tqdm: bool = False,
        override_bs: int | None = None,
    ) -> list[tuple[float, bool]]:
        users: dict[Input, list[int]] = {}  # model input -> indices of its requests
        for index, (_, context, continuation) in enumerate(requests):
            users.setdefault(self._input(context, continuation), []).append(index)
        inputs = sorted(users, key=lambda tokens: [len(part) for part in tokens], reverse=True)
        size = override_bs or self.batch_size
        batches = [inputs[start : start + size] for start in range(0, len(inputs), size)]
        mine = self.processes.share(batches)
        hidden = disable_tqdm or self.processes.rank > 0

        def work() -> tuple[dict[int, tuple[float, bool]], float]:
            before = self.seconds
            answers = self._answers(mine, users, requests, hidden)
            return answers, self.seconds - before

        before = self.seconds
        parts = self.processes.together(work)
        self.seconds = before + max(seconds for _, seconds in parts)
        answers = {index: answer for part, _ in parts for index, answer in part.items()}
        return [answers[index] for index in range(len(requests))]

    def _answers(
        self,
        batches: Sequence[list[Input]],
        users: dict[Input, list[int]],
        requests: list[Request],
        disable_tqdm: bool,
    ) -> dict[int, tuple[float, bool]]:
        """The answers to the requests of some batches, by index."""
        answers = {}
        total = sum(map(len, batches))
        with tqdm(total=total, desc=f"{self.which}: sequences", disable=disable_tqdm) as progress:
            for batch in batches:
                for tokens, logits in zip(batch, self._masked_logits(batch), strict=True):
                    for index in users[tokens]:
                        continuation = requests[index][2]
                        # the last position that was read predicts the continuation's last token
                        end = len(tokens[-1])
                        answers[index] = self._answer(
                            logits[end - len(continuation) : end], continuation
                        )
                progress.update(len(batch))
        return answers

    def _input(self, context: list[int], continuation: list[int]) -> Input:
        if self.backend == "seq2seq":
            return tuple(context[-self.max_length :]), tuple(continuation)
        # position i predicts token i + 1, so the last token is not read
        return (tuple((context + continuation)[-(self.max_length + 1) : -1]),)

    def _masked_logits(self, batch: list[Input]) -> torch.Tensor:
        """Logits (B, L, V) of right-padded sequences; L is the decoder's if there are two."""
        padded = []
        for part in zip(*batch, strict=True):
            rows = [torch.tensor(tokens, device=self.device) for tokens in part]
            mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
            padded.append((pad_sequence(rows, batch_first=True), mask))
        kwargs = {"input_ids": padded[0][0], "attention_mask": padded[0][1]}
        if self.backend == "seq2seq":
            labels, mask = padded[1]
            shifted = self.model.prepare_decoder_input_ids_from_labels(labels=labels)
            kwargs |= {"decoder_input_ids": shifted, "decoder_attention_mask": mask}
        start = time.perf_counter()
        logits = self.model(**kwargs, use_cache=False).logits
        if logits.device.type == "cuda":
            torch.cuda.synchronize(logits.device)
        self.seconds += time.perf_counter() - start
        return logits

    def _answer(self, logits: torch.Tensor, continuation: list[int]) -> tuple[float, bool]:
        """Log-likelihood in nats of the continuation, and whether greedy decoding gives it."""
        require_finite(logits, self.which, "a question")
        targets = torch.tensor(continuation, device=logits.device)[-len(logits) :, None]
        log_p = logits.double().log_softmax(-1)
        greedy = bool((log_p.argmax(-1, keepdim=True) == targets).all())
        return float(log_p.gather(-1, targets).sum()), greedy
