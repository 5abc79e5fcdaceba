"""Weights & Biases: one run for each cell of the grid, and one for the report."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from pipeline.paths import Cell

if TYPE_CHECKING:
    import wandb

    from las.conversion.report import ConversionReport
    from las.energy.report import EnergyReport
    from las.neurons.tally import SpikeTally


class Tracker:
    """Logs tables, figures and single numbers to a run, or nowhere if tracking is off."""

    def __init__(self, run: wandb.Run | None) -> None:
        self._run = run

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Log a table."""
        if self._run is not None:
            import wandb

            # One type per column: numbers as float, everything else as text, None as a gap.
            cells = [[_cell(value) for value in row] for row in rows]
            table = wandb.Table(columns=list(columns), data=cells, allow_mixed_types=True)
            self._run.log({f"tables/{name}": table})

    def log_figure(self, path: Path) -> None:
        """Log a picture."""
        if self._run is not None:
            import wandb

            self._run.log({f"figures/{path.stem}": wandb.Image(str(path))})

    def log_numbers(self, numbers: Mapping[str, float]) -> None:
        """Set single numbers by which runs are compared."""
        if self._run is not None:
            self._run.summary.update(dict(numbers))

    def log_scores(self, scores: Sequence[Mapping[str, Any]]) -> None:
        """Log every score of an evaluation, as a table and as numbers."""
        columns = ["task", "metric", "ann", "snn", "ann_stderr", "snn_stderr"]
        columns += ["items", "items_available", "agreement", "kl"]
        self.log_table("scores", columns, [[score[name] for name in columns] for score in scores])
        for score in scores:
            for name in ("ann", "snn", "agreement", "kl"):
                if score[name] is not None:
                    self.log_numbers({f"{score['task']}/{score['metric']}/{name}": score[name]})

    def log_proof(self, report: ConversionReport) -> None:
        """Log how the spiking model compared with the original when it was made."""
        figures = report.to_dict()
        self.log_table("proof", list(figures), [list(figures.values())])
        numbers = {name: x for name, x in figures.items() if isinstance(x, float)}
        self.log_numbers({f"proof/{name}": x for name, x in numbers.items()})

    def log_spikes(self, tally: SpikeTally) -> None:
        """Log what every site fired."""
        rows = [
            [name, site.kind, site.activations, site.spikes, site.firing_rate, site.out_of_range]
            for name, site in tally.sites.items()
        ]
        columns = ["site", "kind", "activations", "spikes", "firing_rate", "out_of_range"]
        self.log_table("spikes", columns, rows)
        self.log_numbers({"spikes": tally.spikes, "out_of_range": tally.out_of_range})

    def log_energy(self, report: EnergyReport) -> None:
        """Log the energy of every component, and the ratio of the totals."""
        rows = [row.to_dict() for row in (report.total, *report.rows)]
        self.log_table("energy", list(rows[0]), [list(row.values()) for row in rows])
        if report.total.ratio is not None:
            self.log_numbers({"energy_ratio": report.total.ratio})


@contextmanager
def tracked_cell(cfg: DictConfig, cell: Cell) -> Iterator[Tracker]:
    """Open the run of a cell: its id never changes, its group is the model."""
    config = {
        group: OmegaConf.to_container(cfg[group], resolve=True)
        for group in ("model", "neuron", "calibration", "evaluation", "energy")
    }
    identity = f"{cell.model}-{cell.neuron}-{cell.evaluation}"
    with _tracked(cfg, identity, cell.model, config) as tracker:
        yield tracker


@contextmanager
def tracked_report(cfg: DictConfig) -> Iterator[Tracker]:
    """Open the run of the report."""
    with _tracked(cfg, "report", "report", {}) as tracker:
        yield tracker


@contextmanager
def _tracked(
    cfg: DictConfig, identity: str, group: str, config: dict[str, Any]
) -> Iterator[Tracker]:
    if not cfg.tracking.enabled:
        yield Tracker(None)
        return
    import wandb

    def begin(mode: str) -> wandb.Run:
        return wandb.init(
            project=cfg.tracking.project,
            entity=cfg.tracking.entity,
            id=identity,
            name=identity,
            group=group,
            config=config,
            dir=cfg.root,
            mode=mode,  # type: ignore[arg-type]
            resume="allow" if mode == "online" else None,
            settings=wandb.Settings(
                silent=True, console="off", x_disable_stats=True, init_timeout=30
            ),
        )

    keyed = bool(os.environ.get("WANDB_API_KEY"))
    mode = os.environ.get("WANDB_MODE") or ("online" if keyed else "offline")
    try:
        run = begin(mode)
    except wandb.errors.Error as error:
        # A result of hours is not lost because the tracker is out of reach.
        print(f"W&B is out of reach ({type(error).__name__}); this run is written offline.")
        run = begin("offline")
    with run:
        yield Tracker(run)


def _cell(value: Any) -> Any:
    """Return a value as a table holds it."""
    if value is None or isinstance(value, str | bool):
        return value
    return float(value)
