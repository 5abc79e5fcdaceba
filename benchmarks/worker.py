"""Measures one section in a process of its own, so that no section finds another one's leavings."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable

import torch
from transformers.utils import logging

from benchmarks.environment import describe_environment, load_average
from benchmarks.records import Case, Record
from benchmarks.settings import Settings


def main() -> None:
    """Write the record of the section that the command line names."""
    section, settings = sys.argv[1], Settings.from_json(sys.argv[2])
    logging.disable_progress_bar()
    torch.set_num_threads(settings.threads)
    store(section, settings, importlib.import_module(f"benchmarks.sections.{section}").measure)


def store(section: str, settings: Settings, measure: Callable[[Settings], Iterable[Case]]) -> None:
    """Write the record of a section anew after each case, so that what there is stays.

    Arguments:
        section: its name.
        settings: how to measure.
        measure: gives the cases, all at once or one by one.
    """
    load_before = load_average()
    cases: list[Case] = []
    for case in measure(settings):
        cases.append(case)
        environment = describe_environment() | {
            "load_average_before": load_before,
            "repeats": settings.repeats,
            "limit": settings.limit,
        }
        Record(section, environment, cases).write(settings.output)


if __name__ == "__main__":
    main()
