"""The stored records as one Markdown table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.ratios import Spread
from benchmarks.records import Case, Comparison, Record

HEADER = (
    "section",
    "case",
    "compared",
    "ratio",
    "quartiles",
    "range",
    "noise",
    "rounds",
    "measured",
    "reference",
    "tokens/s",
)
_TEXTS = 3
"""How many columns, from the left, are text."""

LEGEND = """\
*ratio*: median of the ratios round by round. *quartiles*, *range*: of the same ratios. *noise*:
range of the reference over itself in the round before, which would be 1 on a quiet machine.
*measured*, *reference*: medians. *tokens/s*: of measured and reference."""

_SHARED = (
    "cpu",
    "cores",
    "simd",
    "gpu",
    "threads",
    "python",
    "torch",
    "numba",
    "transformers",
    "malloc",
    "revision",
)
"""What of an environment usually is the same for all sections of a run."""


def render(records: Sequence[Record]) -> str:
    """The table, its legend, and where and when each section was measured."""
    rules = ["---" if i < _TEXTS else "--:" for i in range(len(HEADER))]
    rows = [HEADER, rules, *(row for record in records for row in _rows(record))]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", LEGEND, "", *_environments(records), ""])


def _rows(record: Record) -> Iterator[Sequence[str]]:
    for case in record.cases:
        if case.unmeasured is not None:
            yield (record.section, case.name, case.unmeasured, *[""] * (len(HEADER) - _TEXTS))
        else:
            for comparison in case.comparisons:
                yield (record.section, case.name, comparison.label, *_figures(case, comparison))


def _figures(case: Case, comparison: Comparison) -> Iterator[str]:
    ratios = case.ratios(comparison)
    noise = case.noise(comparison)
    measured = Spread.of(case.series[comparison.measured])
    yield "" if ratios is None else f"**{ratios.median:.2f}**"
    yield "" if ratios is None else _interval(ratios.lower_quartile, ratios.upper_quartile)
    yield "" if ratios is None else _interval(ratios.smallest, ratios.largest)
    yield "" if noise is None else _interval(noise.smallest, noise.largest)
    yield str(measured.count)
    if comparison.reference is None:
        ends = f"{_number(measured.smallest)} to {_number(measured.largest)}"
        yield f"{_number(measured.median)} {case.unit} ({ends})"
        yield ""
    else:
        reference = Spread.of(case.series[comparison.reference])
        yield f"{_number(measured.median)} {case.unit}"
        yield f"{_number(reference.median)} {case.unit}"
        if case.tokens is not None:
            rates = (case.tokens / measured.median, case.tokens / reference.median)
            yield " / ".join(map(_number, rates))
            return
    yield ""


def _interval(low: float, high: float) -> str:
    return f"{low:.2f} to {high:.2f}"


def _number(value: float) -> str:
    """Three significant digits, and none of what follows the decimal point of large numbers."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _environments(records: Sequence[Record]) -> Iterator[str]:
    """One entry for each environment, with the sections that were measured in it."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        shared = {name: record.environment.get(name) for name in _SHARED}
        groups.setdefault(json.dumps(shared), []).append(record)
    for text, members in groups.items():
        yield f"- {_described(json.loads(text))}"
        for record in members:
            found = record.environment
            yield (
                f"  - {record.section}: {found['date']}, load average "
                f"{_load(found['load_average_before'])} before and {_load(found['load_average'])} "
                f"after, numba's threading layer: {found['numba_threading_layer']}"
            )


def _described(shared: dict[str, Any]) -> str:
    malloc = " ".join(f"{name}={value}" for name, value in shared["malloc"].items())
    parts = [
        f"{shared['cpu']} ({shared['simd']}, {shared['cores']} cores)",
        f"GPU: {shared['gpu']}" if shared["gpu"] else "no GPU",
        f"{shared['threads']} threads",
        f"Python {shared['python']}, torch {shared['torch']}, numba {shared['numba']}, "
        f"transformers {shared['transformers']}",
        malloc,
        f"revision {shared['revision'] or 'unknown'}",
    ]
    return "; ".join(parts)


def _load(average: Sequence[float] | None) -> str:
    """The mean number of running processes in the last minute."""
    return "unknown" if average is None else f"{average[0]:.1f}"
