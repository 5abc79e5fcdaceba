"""What budgets cost and save: docs/data/frontier.json, and the table and figure made from it.

python -m pipeline.cell -m experiment=frontier    # the cells: five budgets, three H
python -m pipeline.frontier                       # docs/frontier.md and its figure, from the data
python -m pipeline.frontier --root .              # the data anew, from all frugal cells below it
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.evaluated import evaluated_cells
from pipeline.marked import put_between
from pipeline.paths import ROOT, Cell
from pipeline.revision import revision

DATA = ROOT / "docs" / "data" / "frontier.json"
PAGE = ROOT / "docs" / "frontier.md"
FIGURE = ROOT / "docs" / "data" / "frontier.png"

METRICS = {"text": "perplexity", "similarity": "spearman", "glue": "acc", "vqa": "acc"}
"""What is read of each suite."""

ACCOUNTS = {"paper": "energy", "graded_fp32": "digits"}
"""Accounts by slug, and what their ratio is called in the data."""

NEAR = (0.1, 4e-4)
"""What a neuron may lose that is called lossless here: per cent of perplexity, and nats."""

MARK = "<!-- budgets -->"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the data, if a root is given, and what is made from it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="where data/ and results/ of the cells lie")
    parser.add_argument("--revision", help="of the sources that made the cells, if not of these")
    options = parser.parse_args(arguments)
    if options.root is not None:
        write_data(options.root, options.revision)
    data = json.loads(DATA.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(put_between(page, MARK, render(data)), encoding="utf-8")
    draw(data)


def write_data(root: Path, made_by: str | None) -> None:
    """Read all cells with a budget below a root."""
    from las.files.atomic import atomic_file

    made = revision()
    found = {neurons(row): row for row in rows(root)}  # two cells may have the same neurons
    written = {
        "revision": made_by or (made.commit if made else None),
        "date": made.date if made else None,
        "rows": [found[key] for key in sorted(found)],
    }
    DATA.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(DATA) as partial:
        partial.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def neurons(row: Mapping[str, Any]) -> tuple[str, int, int, float]:
    """What tells a row from others, in their order: the model, T and H, falling, and the budget."""
    return row["title"], -row["time_steps"], -row["levels"], row["budget"]


def rows(root: Path) -> Iterator[dict[str, Any]]:
    """What is known of each cell with a budget."""
    from las.conversion.adapter import read_adapter
    from las.energy import accounts
    from las.neurons.tally import SpikeTally

    for names in evaluated_cells(root):
        cell = Cell(root, **names)
        if cell.evaluation not in METRICS:
            continue
        result = json.loads(cell.scores.read_text(encoding="utf-8"))
        fields = result["neuron"] or {}
        metric = METRICS[cell.evaluation]
        scores = [score for score in result["scores"] if score["metric"] == metric]
        if fields.get("budget") is None or not cell.spikes.exists() or not scores:
            continue
        spent = read_adapter(cell.adapter).spent
        assert spent is not None
        tally = SpikeTally.from_dict(json.loads(cell.spikes.read_text(encoding="utf-8")))
        charged = accounts(tally)
        yield {
            "title": result["model"]["title"],
            "metric": metric,
            "time_steps": fields["time_steps"],
            "levels": fields["levels"],
            "budget": fields["budget"],
            "predicted": spent.predicted,
            "measured": spent.measured,
            "scores": {score["task"]: [score["ann"], score["snn"]] for score in scores},
            "items": {score["task"]: score["items"] for score in scores},
            "kl": scores[0]["kl"],
            **{name: charged[slug].ratio for slug, name in ACCOUNTS.items()},
            **{f"{name}_last": charged[slug].last_ratio for slug, name in ACCOUNTS.items()},
        }


HEADER = (
    *("model", "T, at most", "H", "budget", "predicted", "measured", "on other text", "change"),
    *("Eq. 25", "last operand", "by digits", "last operand"),
)


def render(data: Mapping[str, Any]) -> str:
    """The table, and what follows from it."""
    lines = [HEADER, ["---", *["--:"] * (len(HEADER) - 1)], *map(_row, data["rows"])]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    told = [
        f"The loss on further calibration text {_within(data['rows'], 'measured', 'predicted')}.",
        f"The loss on other text {_within(data['rows'], 'kl', 'budget')}.",
        *_lowest(data["rows"]),
        f"Revision {data['revision']}, {data['date']}.",
    ]
    return "\n\n".join([table, *told])


def _within(found: Sequence[Mapping[str, Any]], loss: str, of: str) -> str:
    """How a loss lies to what it was to be, for each model."""
    told = []
    for title in dict.fromkeys(row["title"] for row in found if row[loss] is not None):
        factors = [row[loss] / row[of] for row in found if row["title"] == title]
        close = sum(0.5 <= factor <= 2 for factor in factors)
        told.append(
            f"{min(factors):.2f} to {max(factors):.2f} for {title} ({close} of {len(factors)} "
            "within a factor of two)"
        )
    name = "the predicted one" if of == "predicted" else "the budget"
    return f"over {name} is " + ", ".join(told)


def _lowest(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lowest ratio by digits within `NEAR`, for each model with a perplexity."""
    percent, divergence = NEAR
    for title in dict.fromkeys(row["title"] for row in found if row["kl"] is not None):
        near = [
            row
            for row in found
            if row["title"] == title
            and row["metric"] == "perplexity"
            and abs(_percent(row)) <= percent
            and row["kl"] <= divergence
        ]
        if near:
            best = min(near, key=lambda row: row["digits"])
            yield (
                f"{title}: within {percent:g} % of the original's perplexity and a KL of "
                f"{divergence:g} the lowest ratio by digits is "
                f"{best['digits']:.3f}, of the neuron with H = {best['levels']} and a budget of "
                f"{best['budget']:g} ({_percent(best):+.3f} %, KL {best['kl']:.1e})."
            )


def _percent(row: Mapping[str, Any]) -> float:
    """By how much the perplexity changes, in per cent."""
    ((ann, snn),) = row["scores"].values()
    return float(100 * (snn / ann - 1))


def _change(row: Mapping[str, Any]) -> str:
    """By how much the scores change."""
    if row["metric"] == "perplexity":
        return f"{_percent(row):+.3f} %"
    points = 100 if row["metric"] == "acc" else 1
    moved = [points * (snn - ann) for ann, snn in row["scores"].values()]
    return f"≤ {max(map(abs, moved)):.2f} points" if moved[1:] else f"{moved[0]:+.2f} points"


def _row(row: Mapping[str, Any]) -> list[str]:
    other = "" if row["kl"] is None else f"{row['kl']:.1e}"
    ratios = [row[name] for name in ("energy", "energy_last", "digits", "digits_last")]
    return [
        *(row["title"], f"{row['time_steps']}", f"{row['levels']}", f"{row['budget']:g}"),
        *(f"{row['predicted']:.1e}", f"{row['measured']:.1e}", other, _change(row)),
        *(f"{ratio:.3f}" for ratio in ratios),
    ]


def draw(data: Mapping[str, Any]) -> None:
    """The figure."""
    from las.reporting.figures import predicted

    points: dict[str, list[tuple[float, float]]] = {}
    elsewhere: dict[str, list[tuple[float, float]]] = {}
    for row in data["rows"]:
        title = row["title"]
        points.setdefault(title, []).append((row["predicted"], row["measured"]))
        if row["kl"] is not None:
            elsewhere.setdefault(title, []).append((row["predicted"], row["kl"]))
    predicted.draw(FIGURE, points, elsewhere, "Predicted and measured loss of budgets")


if __name__ == "__main__":
    main()
