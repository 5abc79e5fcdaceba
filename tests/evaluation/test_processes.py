"""Two processes, as `accelerate launch` starts them, score as one does."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

import las
from las.evaluation.processes import ALONE, Processes
from las.evaluation.score import Score
from las.evaluation.suites.glue import Glue
from las.evaluation.zero_shot import compare_zero_shot
from las.neurons.tally import SpikeTally
from tests.evaluation.conftest import spiking_llama
from tests.tiny_models.plain import tiny_llama

Work = Callable[[Processes], Any]
Launch = Callable[[Work], list[Any]]

QUESTIONS = [
    {"goal": goal, "sol1": f"Use {one}.", "sol2": f"Use {other} and wait.", "label": len(goal) % 2}
    for goal in ("Open a jar", "Dry a cup", "Cut bread", "Boil eggs", "Fix a door")
    for one, other in (("a knife", "water"), ("a long rope", "it"))
]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """PIQA of one's own: ten questions, twenty sequences."""
    folder = tmp_path / "piqa" / "plain_text"
    folder.mkdir(parents=True)
    lines = "".join(json.dumps(question) + "\n" for question in QUESTIONS)
    (folder / "validation.jsonl").write_text(lines)
    return tmp_path


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """Do some work in each of two processes; return what each gives, or its error as text."""

    def begin(rank: int, port: int, work: Work) -> None:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        torch.set_num_threads(1)
        outcome: Any
        try:
            outcome = work(Processes.launched())
        except BaseException as error:
            traceback.print_exc()
            outcome = f"{type(error).__name__}: {error}"
        (tmp_path / f"{rank}.json").write_text(json.dumps(outcome))

    def run(work: Work) -> list[Any]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        context = multiprocessing.get_context("fork")
        processes = [context.Process(target=begin, args=(rank, port, work)) for rank in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        return [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]

    return run


def scored(
    processes: Processes, snn: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, data: Path
) -> tuple[Score, SpikeTally]:
    """Scores without times, and what this process has counted."""
    with las.count_spikes(snn) as tally:
        (score,) = compare_zero_shot(
            *(tiny_llama(tokenizer), snn, tokenizer, ["piqa"]),
            **dict(directory=data, batch_size=3, processes=processes),
        )
    extra = {name: value for name, value in score.extra.items() if "seconds" not in name}
    return replace(score, extra=extra), tally


def test_two_processes_give_the_scores_of_one_and_their_spikes_add_up(
    launch: Launch, tokenizer: PreTrainedTokenizerFast, directory: Path
) -> None:
    """To the last bit: they cut the same batches, of twenty sequences six of three and one."""
    snn = spiking_llama(tokenizer, 8)
    expected, counts = scored(ALONE, snn, tokenizer, directory)

    def work(processes: Processes) -> Any:
        score, mine = scored(processes, snn, tokenizer, directory)
        return score.to_dict(), mine.spikes, processes.total(mine).to_dict()

    outcomes = launch(work)
    for score, _, total in outcomes:
        assert Score.from_dict(score) == expected
        assert json.dumps(total) == json.dumps(counts.to_dict())
    shares = [spikes for _, spikes, _ in outcomes]
    assert sum(shares) == counts.spikes
    assert min(shares) > 0.3 * counts.spikes
    assert expected.agreement is not None and expected.items == len(QUESTIONS)


def test_an_error_of_one_process_ends_both_and_both_say_it(
    launch: Launch, tokenizer: PreTrainedTokenizerFast, directory: Path
) -> None:
    def work(processes: Processes) -> None:
        ann, snn = tiny_llama(tokenizer), tiny_llama(tokenizer)
        if processes.rank == 1:
            with torch.no_grad():
                snn.lm_head.weight.fill_(torch.nan)
        compare_zero_shot(
            *(ann, snn, tokenizer, ["piqa"]), directory=directory, processes=processes
        )

    for outcome in launch(work):
        assert outcome.startswith("ProcessError: process 1 of 2 failed: ValueError: the SNN gives ")


def test_a_process_that_fails_by_itself_is_ended_and_the_other_one_does_not_wait(
    launch: Launch,
) -> None:
    def work(processes: Processes) -> Any:
        with processes.in_step():
            if processes.rank == 1:
                raise MemoryError("too large")
            return processes.together(lambda: 0)

    first, second = launch(work)
    assert (
        second
        == "SystemExit: process 1 of 2 failed, which ends all of them: MemoryError: too large"
    )
    assert first.startswith("SystemExit: process 0 of 2 failed")


def test_the_first_process_works_for_all(launch: Launch) -> None:
    def work(processes: Processes) -> Any:
        said = processes.first(lambda: f"of {processes.rank}")
        return said, processes.share([*range(5)]), processes.together(lambda: processes.rank)

    assert launch(work) == [["of 0", [0, 2, 4], [0, 1]], ["of 0", [1, 3], [0, 1]]]


def test_one_process_is_alone_and_its_errors_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert Processes.launched() is ALONE
    with pytest.raises(KeyError), ALONE.in_step():
        ALONE.together(lambda: {}["nothing"])


def test_other_suites_refuse_to_be_shared_out(tmp_path: Path) -> None:
    suite = Glue(("rte",), "glue", "all", None, 8, 64)
    with pytest.raises(ValueError, match="Glue runs in one process, not in 2: begin without `acc"):
        suite.score(torch.nn.Identity(), None, None, tmp_path, Processes(0, 2))  # type: ignore[arg-type]
