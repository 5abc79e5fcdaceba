"""A small results tree with the schema of the pipeline, numbers made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from las.energy import estimate
from las.evaluation.score import Score
from las.neurons.tally import SpikeTally
from las.reporting.report import Report, write_report
from las.spikes import Passage, SiteEvents, SpikeEvents

TEXT_CELLS = [(16, 5), (16, 1), (12, 5), (10, 5), (8, 5)]
SIMILARITY_CELLS = [(8, 5), (10, 5), (11, 5), (13, 5), (16, 5)] + [
    (16, h) for h in (1, 3, 7, 10, 12, 15)
]
TITLES = {
    "tiny-lm": "Tiny-LM <b>",
    "tiny-encoder": "Tiny-Encoder",
    "bert-sst2": "BERT, SST-2",
    "bert-mrpc": "BERT, MRPC",
    "big-lm": "Big-LM",
    "seeing": "Seeing",
}


def make_tally(levels: int, layers: int = 3) -> SpikeTally:
    tally = SpikeTally(tokens=512)
    for i in range(layers):
        block = f"model.layers.{i}"
        tally.add_spikes(f"{block}.mlp.up.input", "oat", 16, 10_000, 60_000 // (levels + 1), 2)
        tally.add_spikes(f"{block}.attn.softmax.exp", "hg:exp", 16, 4_000, 9_000, 0)
        tally.add_operations(
            f"{block}.mlp.up", f"{block}.mlp.up", "linear", 4_000_000 // (levels + 1), 600_000
        )
        tally.add_operations(
            f"{block}.attn.softmax",
            f"{block}.attn",
            "softmax",
            9_000,
            4_000,
            {"exp": 4_000, "reciprocal": 64},
        )
    tally.add_operations("lm_head", "lm_head", "linear", 900_000, 500_000)
    return tally


def zero_shot_scores() -> list[Score]:
    return [
        Score(task, "acc", True, ann, ann, 0.01, 0.01, 60, 1000, 0.98, 1e-5)
        for task, ann in (("piqa", 0.683), ("arc_easy", 0.55), ("rte", 0.525))
    ]


def text_scores(time_steps: int, levels: int) -> list[Score]:
    kl = 4.0 ** (12 - time_steps) * 1e-4 / levels
    ratio = 1 + 10 * kl
    change = {"relative_change_percent": 100 * (ratio - 1), "relative_change_stderr_percent": 0.01}
    return [
        Score("wikipedia", "perplexity", False, 18.2, 18.2 * ratio, 0.9, 0.9, 4088, 4088,
              1 - 10 * kl, kl, change),
        Score("wikipedia_xml", "bits_per_byte", False, 0.91, 0.91 * ratio, 0.02, 0.02, 4088, 90000,
              1 - 10 * kl, kl, change),
    ]  # fmt: skip


def anytime_scores(time_steps: int) -> list[Score]:
    """The loss after t steps is four times that after t + 1, and t million operations have run."""
    scores = []
    for t in range(1, time_steps + 1):
        kl = 4.0 ** (time_steps - t) * 1e-9
        extra = {
            "after_steps": float(t),
            "relative_change_percent": 1e6 * kl,
            "spikes_per_token": 1e5 * t,
            "sops_per_token": 1e6 * t,
        }
        scores.append(
            Score("wikipedia", f"perplexity_after_{t}", False, 18.0, 18.0 * (1 + 1e4 * kl), None,
                  None, 508, 4088, 1 - kl, kl, extra)
        )  # fmt: skip
    return scores


def similarity_scores(time_steps: int) -> list[Score]:
    loss = 30 * 4.0 ** (8 - time_steps)
    return [
        Score(task, metric, True, ann, ann - loss, 3.0, 3.0, 353, 353, 1 - loss / 100, None,
              {"hidden_relative_error": 2.0**-time_steps})
        for task, ann in (("wordsim353", 61.2), ("simlex999", 45.3), ("lee", 71.0))
        for metric in ("spearman", "pearson")
    ]  # fmt: skip


def glue_scores() -> list[Score]:
    """Of 100 items 84 are right, and one more of the spiking model's."""
    majority = {"majority": 0.6}
    return [
        Score("glue_mrpc", "acc", True, 0.84, 0.85, 0.04, 0.04, 100, 408, 0.97, 1e-4, majority),
        Score("glue_mrpc", "f1", True, 0.89, 0.90, 0.03, 0.03, 100, 408, 0.97, 1e-4, majority),
        Score("glue_rte", "acc", True, 0.65, 0.65, 0.05, 0.05, 277, 277, 1.0, 1e-5),
    ]


def write_cell(
    results: Path,
    model: str,
    evaluation: str,
    time_steps: int,
    levels: int,
    scores: list[Score],
    row: str | None = None,
    vision: str = "spiking",
    name: str = "",
    of_scores: dict[str, Any] | None = None,
    **options: Any,
) -> dict[str, str]:
    neuron = f"t{time_steps}h{levels}" + ("" if vision == "spiking" else "-analog-vision") + name
    directory = results / model / neuron / evaluation
    directory.mkdir(parents=True)
    tally = make_tally(levels)
    content: dict[str, Any] = {
        "evaluation.json": {
            "model": {"name": model, "title": TITLES[model], "row": row or TITLES[model]},
            "neuron": {
                "time_steps": time_steps,
                "levels": levels,
                "rounding": "nearest",
                "vision": vision,
                **options,
            },
            "evaluation": evaluation,
            "scores": [score.to_dict() for score in scores],
            "seconds": {"ann": 1.0, "snn": 2.5},
        },
        "spikes.json": tally.to_dict() | ({"scores": of_scores} if of_scores else {}),
        "energy.json": estimate(tally).to_dict(),
    }
    for name, data in content.items():
        (directory / name).write_text(json.dumps(data))
    return {"model": model, "neuron": neuron, "evaluation": evaluation}


def write_baseline(
    results: Path,
    model: str,
    evaluation: str,
    method: str,
    time_steps: int,
    scores: list[Score],
    **tuning: int,
) -> dict[str, str]:
    """The results of a model that was converted by a published method."""
    cell = write_cell(results, model, evaluation, time_steps, 99, scores)
    path = results / model / cell["neuron"]
    written = path / evaluation / "evaluation.json"
    content = json.loads(written.read_text())
    content["neuron"] = {"method": method, "time_steps": time_steps, **tuning}
    written.write_text(json.dumps(content))
    neuron = f"{method}{'-tuned' if tuning else ''}-t{time_steps}"
    path.rename(path.with_name(neuron))
    return {"model": model, "neuron": neuron, "evaluation": evaluation}


def write_original(
    results: Path, model: str, evaluation: str, scores: list[Score]
) -> dict[str, str]:
    """The results of a model that was not converted."""
    directory = results / model / "none" / evaluation
    directory.mkdir(parents=True)
    content = {
        "model": {"name": model, "title": TITLES[model], "row": TITLES[model]},
        "neuron": None,
        "evaluation": evaluation,
        "scores": [score.to_dict() for score in scores],
        "seconds": {"ann": 1.0, "snn": 0.0},
    }
    (directory / "evaluation.json").write_text(json.dumps(content))
    return {"model": model, "neuron": "none", "evaluation": evaluation}


@pytest.fixture
def grid(tmp_path: Path) -> tuple[Path, list[dict[str, str]]]:
    """A results tree and its cells; one cell of the grid has no results."""
    return write_grid(tmp_path / "results")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report of such a tree, to look at."""
    root = tmp_path_factory.mktemp("written")
    return write_report(
        *write_grid(root / "results"),
        root / "reports",
        revision="abc + changes",
        date="2026-11-28",
        spikes=write_spikes(root / "spikes").parent,
    )


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are empty files, for tests of what stands beside them."""
    monkeypatch.setattr(Figure, "savefig", lambda _, path, **options: Path(path).write_bytes(b""))


def events_of(name: str, kind: str, shape: tuple[int, ...]) -> SiteEvents:
    """900 made-up spikes of a site; one neuron may have several at a time."""
    rng, count, positions = np.random.default_rng(3), 900, int(np.prod(shape[:-1]))
    return SiteEvents(
        site=name,
        kind=kind,
        time_steps=16,
        levels_of_neurons=5 if kind == "oat" else 1,
        taus=(1.0,) if kind == "oat" else (),
        shapes=(shape,),
        positions_in_all=positions,
        channels_in_all=shape[-1],
        times=rng.integers(1, 17, count).astype(np.uint8),
        positions=rng.integers(0, positions, count).astype(np.int32),
        channels=rng.integers(0, shape[-1], count).astype(np.int32),
        levels=rng.choice([-9, -5, 5, 7], count).astype(np.int8),
        bands=np.zeros(count, dtype=np.int32),
        weights=0.5 ** np.arange(1.0, 17.0)[None] / 5,
    )


def write_spikes(folder: Path) -> Path:
    """Spikes of two blocks on seven tokens, of queries with two heads and of activations."""
    sites = [
        events_of("h.0.attn.query", "oat", (1, 2, 7, 8)),
        events_of("h.0.mlp.act", "hg:gelu", (7, 40)),
        events_of("h.1.mlp.act", "hg:gelu", (7, 40)),
    ]
    tokens = ("The", " $x", "\n", " <i>", " end", ".", " More")
    passage = Passage("Tiny-LM <b>", 'the beginning of "Tea", held-out', tokens)
    events = SpikeEvents({one.site: one for one in sites}, passage)
    return events.save(folder / "tiny-lm-t16h5.npz")


def write_grid(results: Path) -> tuple[Path, list[dict[str, str]]]:
    """Write the cells of `grid`."""
    cells = [write_cell(results, "tiny-lm", "zero_shot", 16, 5, zero_shot_scores())]
    cells += [
        write_cell(results, "tiny-lm", "text", t, h, text_scores(t, h)) for t, h in TEXT_CELLS
    ]
    scores = anytime_scores(16)
    fired = {score.metric: make_tally(5, layers=2).to_dict() for score in scores}
    cells.append(write_cell(results, "tiny-lm", "anytime", 16, 5, scores, of_scores=fired))
    cells += [
        write_cell(results, "tiny-encoder", "similarity", t, h, similarity_scores(t))
        for t, h in SIMILARITY_CELLS
    ]
    cells.append({"model": "tiny-lm", "neuron": "t6h5", "evaluation": "text"})
    return results, cells


@pytest.fixture
def tuned(tmp_path: Path) -> tuple[Path, list[dict[str, str]]]:
    """A results tree of one fine-tuned encoder."""
    results = tmp_path / "tuned"
    return results, [write_cell(results, "bert-mrpc", "glue", 16, 5, glue_scores())]


@pytest.fixture
def seeing(tmp_path: Path) -> tuple[Path, list[dict[str, str]]]:
    """A results tree of one vision-language model, its tower spiking and left analog."""
    extra = {"majority": 0.4, "blind": 0.7}
    score = Score("easy-vqa", "acc", True, 0.98, 0.97, 0.01, 0.01, 100, 900, 0.99, 1e-6, extra)
    results = tmp_path / "seeing"
    return results, [
        write_cell(results, "seeing", "vqa", 16, 5, [score], vision=vision)
        for vision in ("spiking", "analog")
    ]
