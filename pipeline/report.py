"""Write the report of the published grid: tables, figures and reports/index.html.

python -m pipeline.report
"""

from __future__ import annotations

from pathlib import Path

import hydra
import yaml
from omegaconf import DictConfig

from las.files.atomic import atomic_directory
from las.reporting.report import write_report
from pipeline import paths
from pipeline.tracking import tracked_report


def run(cfg: DictConfig) -> None:
    """Write reports/ from results/ of the cells that params.yaml lists."""
    root = Path(cfg.root)
    results = root / "results"
    if not results.is_dir():
        raise paths.MissingStageError(
            f"{results} is missing. Make it with: make repro   (or a cell of your own: "
            "python -m pipeline.cell model=... neuron=...)"
        )
    grid = yaml.safe_load((root / "params.yaml").read_text())
    with atomic_directory(root / "reports") as folder:
        report = write_report(results, grid["cells"].values(), folder)
        with tracked_report(cfg) as tracker:
            for table in report.tables:
                tracker.log_table(table.slug, *table.records())
            for picture in report.pictures:
                tracker.log_figure(picture.path)
    print(f"{(root / 'reports' / 'index.html').resolve()}")


@hydra.main(version_base="1.3", config_path=paths.CONF, config_name="config")
def main(cfg: DictConfig) -> None:
    """Run the stage."""
    run(cfg)


if __name__ == "__main__":
    main()
