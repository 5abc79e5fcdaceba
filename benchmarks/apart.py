"""Cases measured in a process of their own: one that breaks it costs no other one its figures."""

from __future__ import annotations

import gc
import multiprocessing
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from transformers.utils import logging

from benchmarks.records import Case

Measurement = tuple[str, Callable[[], Sequence[Case]]]
"""Name of a case, and what measures it."""

Plan = Callable[[frozenset[str]], Iterable[Measurement]]
"""What lists measurements, given the names of those that have failed; it touches no GPU itself."""

_ENDING = 10.0
"""Seconds in which a process that is done for leaves its exit status."""
_PLACES = 3
_BEGINNING, _END = 120, 280
"""Letters of a long message that are kept."""


@dataclass(frozen=True)
class Outcome:
    """What came of one measurement.

    Attributes:
        cases: what was measured, or a case that says why it could not be.
        failed: whether it could not be.
        broken: whether its process is of no more use.
    """

    cases: Sequence[Case]
    failed: bool = False
    broken: bool = False


def apart(plan: Plan, threads: int, patience: float) -> Iterator[Case]:
    """Measure what a plan lists in a process of its own, and the rest in a new one if it breaks.

    Arguments:
        plan: is called in each of these processes, so that it has to be importable.
        threads: of torch.
        patience: seconds that a case may take; its process is killed then.
    """
    context = multiprocessing.get_context("spawn")
    names = [name for name, _ in plan(frozenset())]
    failed: set[str] = set()
    done = 0
    while done < len(names):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=_work, args=(sender, plan, threads, frozenset(failed), done), daemon=True
        )
        process.start()
        sender.close()
        try:
            broken = False
            while done < len(names) and not broken:
                outcome = _outcome(receiver, process, names[done], patience)
                if outcome.failed:
                    failed.add(names[done])
                broken = outcome.broken
                done += 1
                yield from outcome.cases
        finally:
            process.kill()
            process.join()


def kept(name: str, measure: Callable[[], Sequence[Case]]) -> Outcome:
    """What is measured, or why it could not be.

    The GPU is waited for, so that what fails there is said of the case that did it. An error that
    it does not recover from breaks the process.
    """
    try:
        cases = measure()
        _wait()
        return Outcome(cases)
    except Exception as error:  # whatever it is, the other cases are worth their time
        traceback.print_exc()
        case = Case(name, unmeasured=f"failed: {in_one_line(error)}")
    gc.collect()
    return Outcome([case], failed=True, broken=not _answers())


def in_one_line(error: BaseException) -> str:
    """Kind and message of an error, and the last places that it came through, for a table."""
    said = " ".join(str(error).split())
    if len(said) > _BEGINNING + _END:
        said = f"{said[:_BEGINNING]} ... {said[-_END:]}"
    places = traceback.extract_tb(error.__traceback__)[-_PLACES:]
    way = ", ".join(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in places)
    return f"{type(error).__name__}: {said} ({way})".replace("|", "/")


def _work(sender: Connection, plan: Plan, threads: int, failed: frozenset[str], begin: int) -> None:
    """Measure what a plan lists from one place on, and tell each outcome."""
    logging.disable_progress_bar()
    torch.set_num_threads(threads)
    for name, measure in islice(plan(failed), begin, None):
        outcome = kept(name, measure)
        sender.send(outcome)
        if outcome.broken:
            return


def _outcome(receiver: Connection, process: BaseProcess, name: str, patience: float) -> Outcome:
    """The next outcome of a process, also where it can tell none."""
    try:
        if receiver.poll(patience):
            outcome: Outcome = receiver.recv()
            return outcome
        reason = f"it took more than {patience:.0f} s"
    except (EOFError, OSError):
        process.join(_ENDING)
        reason = f"its process ended with {process.exitcode}"
    return Outcome([Case(name, unmeasured=f"failed: {reason}")], failed=True, broken=True)


def _wait() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _answers() -> bool:
    """Whether the GPU still does anything for this process; memory that nobody uses goes back."""
    try:
        _wait()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
    except RuntimeError:
        return False
    return True
