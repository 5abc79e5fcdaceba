"""Write the report of all that was evaluated, reports/index.html, and the sweeps that DVC plots.

python -m pipeline.report
"""

from __future__ import annotations

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from pipeline import paths
from pipeline.evaluated import evaluated_cells
from pipeline.params import Grid
from pipeline.plots import write_sweeps
from pipeline.recorded import recorded_spikes
from pipeline.revision import revision
from pipeline.tracking import tracked_report


def run(cfg: DictConfig) -> None:
    """Write reports/ and sweeps/ from results/: the cells of params.yaml, and then all others."""
    root = Path(cfg.root)
    results = root / "results"
    if not results.is_dir():
        raise paths.MissingStageError(
            f"{results} is missing. Make it with: make repro   (or a cell of your own: "
            "python -m pipeline.cell model=... neuron=...)"
        )

    from las.energy.descriptions import described
    from las.files.atomic import atomic_directory
    from las.reporting.report import write_report

    grid = Grid.read(root)
    listed = list(grid.cells())
    cells = [*listed, *(cell for cell in evaluated_cells(root) if cell not in listed)]
    made = revision()
    reports = root / "reports"
    with atomic_directory(reports) as folder:
        report = write_report(
            results,
            cells,
            folder,
            spiking_models=paths.spiking_models(root),
            hardware=described(OmegaConf.to_container(cfg.energy, resolve=True)),  # type: ignore[arg-type]
            revision=made.commit if made else None,
            date=made.date if made else None,
            spikes=recorded_spikes(root),
        )
        pictures = [picture.path.relative_to(folder) for picture in report.pictures]
    write_sweeps(root, grid, report.results)
    with tracked_report(cfg) as tracker:
        for table in report.tables:
            tracker.log_table(table.slug, *table.records())
        for picture in pictures:
            tracker.log_figure(reports / picture)
        tracker.log_artifact("report", "report", reports)
    print(f"{(reports / 'index.html').resolve()}")


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
