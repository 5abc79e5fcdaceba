"""Weights & Biases: one run for each cell of the grid, and one for the report.

A cell's run holds its configuration, the revision of the sources, its tables, its adapter, and in
`files/` the files of its results, from which `las compare` makes the paper's tables again.

Whatever is tracked lies on disk already, so that no stage fails because of the tracker: where it
cannot be reached, runs are written offline, and where that fails too, nothing is tracked. Either is
said once.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from omegaconf import DictConfig, OmegaConf

from pipeline.paths import Cell
from pipeline.revision import revision

if TYPE_CHECKING:
    import wandb

    from las.conversion.report import ConversionReport
    from las.energy.report import EnergyReport
    from las.neurons.tally import SpikeTally

PATIENCE = 10.0
"""Seconds that a run may take to start, and again to send what is left at its end."""

LOCAL_PATIENCE = 60.0
"""Seconds that a run which is offline may take to write its file: no server holds it up."""

GROUPS = {
    "zero_shot": "table 1",
    "zero_shot_full": "table 1",
    "text": "table 2",
    "enwik8": "table 2",
    "wikitext103": "table 2",
    "similarity": "table 3",
    "glue": "table 3",
    "glue_full": "table 3",
    "vqa": "table 4",
    "vlmeval": "table 4",
    "vlmeval_paper": "table 4",
}
"""The table of the paper to which a suite adds rows, the group of its runs; others have their own.

Tables 5 and 6 are made of the same runs, with other H and T.
"""

FAILURES = (Exception, SystemExit)
"""What the tracker may raise: its own errors share no base class, and some end the process."""


class Tracker:
    """Logs tables, figures and single numbers to a run, or nowhere if tracking is off."""

    def __init__(self, run: wandb.Run | None) -> None:
        self._run = run
        self._sent: list[Callable[[wandb.Run], None]] = []
        self.incomplete = False
        """Whether something could not be handed to a run that is online."""

    def send_again(self, run: wandb.Run | None) -> None:
        """Hand all that was logged to another run."""
        self._run, sent, self._sent = run, self._sent, []
        for send in sent:
            self._send(send)

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Log a table."""
        # One type per column: numbers as float, everything else as text, None as a gap.
        cells = [[_cell(value) for value in row] for row in rows]

        def log(run: wandb.Run) -> None:
            import wandb

            table = wandb.Table(columns=list(columns), data=cells, allow_mixed_types=True)
            run.log({f"tables/{name}": table})

        self._send(log)

    def log_figure(self, path: Path) -> None:
        """Log a picture."""

        def log(run: wandb.Run) -> None:
            import wandb

            run.log({f"figures/{path.stem}": wandb.Image(str(path))})

        self._send(log)

    def log_numbers(self, numbers: Mapping[str, float]) -> None:
        """Set single numbers by which runs are compared."""
        self._send(lambda run: run.summary.update(dict(numbers)))

    def _send(self, send: Callable[[wandb.Run], None]) -> None:
        """Hand something to the run; after a failure nothing more."""
        self._sent.append(send)
        if self._run is None:
            return
        try:
            send(self._run)
        except FAILURES as error:
            self.incomplete = self._run.settings.mode != "offline"
            then = "it is written offline" if self.incomplete else "the rest of it is not tracked"
            _say(f"W&B failed in a run ({_described(error)}); {then}.")
            self._run = None

    def log_scores(self, scores: Sequence[Mapping[str, Any]]) -> None:
        """Log every score of an evaluation, as a table and as numbers."""
        columns = ["task", "metric", "ann", "snn", "ann_stderr", "snn_stderr"]
        columns += ["items", "items_available", "agreement", "kl"]
        self.log_table("scores", columns, [[score[name] for name in columns] for score in scores])
        for score in scores:
            for name in ("ann", "snn", "agreement", "kl"):
                if score[name] is not None:
                    self.log_numbers({f"{score['task']}/{score['metric']}/{name}": score[name]})

    def attach(self, files: Iterable[Path]) -> None:
        """Keep copies of files in the run's own directory, `files/`, and send them with it."""
        found = [file for file in files if os.path.isfile(file)]  # no error where none may look

        def save(run: wandb.Run) -> None:
            for file in found:
                copy = shutil.copyfile(file, Path(run.dir) / file.name)
                run.save(str(copy), base_path=run.dir, policy="now")

        self._send(save)

    def log_artifact(self, name: str, kind: str, folder: Path) -> None:
        """Attach a directory, if it is there, as an artifact."""
        if not os.path.isdir(folder):
            return

        def log(run: wandb.Run) -> None:
            import wandb

            artifact = wandb.Artifact(name, type=kind)
            artifact.add_dir(str(folder))
            run.log_artifact(artifact)

        self._send(log)

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
    """Open the run of a cell: its id never changes, its group is a table of the paper.

    At the end it gets the files of the results and the adapter, as far as they are there.
    """
    config = {
        group: OmegaConf.to_container(cfg[group], resolve=True)
        for group in ("model", "neuron", "calibration", "evaluation", "energy")
    }
    identity = f"{cell.model}-{cell.neuron}-{cell.evaluation}"
    group = GROUPS.get(cell.evaluation, cell.evaluation)
    with _tracked(cfg, identity, group, cell.model, config) as tracker:
        yield tracker
        tracker.attach([cell.scores, cell.spikes, cell.energy])
        tracker.log_artifact(f"adapter-{cell.model}-{cell.neuron}", "adapter", cell.adapter)


@contextmanager
def tracked_report(cfg: DictConfig) -> Iterator[Tracker]:
    """Open the run of the report."""
    with _tracked(cfg, "report", "report", "report", {}) as tracker:
        yield tracker


@contextmanager
def _tracked(
    cfg: DictConfig, identity: str, group: str, kind: str, config: dict[str, Any]
) -> Iterator[Tracker]:
    modes = _modes() if cfg.tracking.enabled else []
    made = revision() if modes else None
    if made is not None:
        config = {**config, "revision": {"commit": made.commit, "date": made.date}}
    run = _begin(cfg, identity, group, kind, config, modes)
    tracker = Tracker(run)
    try:
        yield tracker
    except BaseException:
        _end(run, exit_code=1)
        raise
    if not _end(run, exit_code=0) or tracker.incomplete:
        # Tables of a run that was online lie nowhere until they have arrived.
        offline = _begin(cfg, identity, group, kind, config, ["offline"])
        tracker.send_again(offline)
        _end(offline, exit_code=0)


_lost = False
"""Whether this process has found the tracker out of reach: it does not wait for it again."""


def _begin(
    cfg: DictConfig,
    identity: str,
    group: str,
    kind: str,
    config: dict[str, Any],
    modes: Sequence[str],
) -> wandb.Run | None:
    """Start a run in the first of some modes in which it is possible; None if there is none."""
    if not modes:
        return None
    try:
        folder = _folder(Path(cfg.root))
    except OSError as error:
        _say(f"W&B cannot be used ({_described(error)}); nothing is tracked.")
        return None
    for mode in modes:
        try:
            import wandb

            _stage_tables(folder)
            # Where no key is known and somebody sits at a terminal, the tracker asks for one.
            wandb.setup(
                wandb.Settings(
                    silent=True,
                    console="off",
                    x_disable_stats=True,
                    login_timeout=PATIENCE,
                    init_timeout=PATIENCE,
                    finish_timeout=LOCAL_PATIENCE if mode == "offline" else PATIENCE,
                    finish_timeout_raises=True,
                )
            )
            run = wandb.init(
                project=cfg.tracking.project,
                entity=cfg.tracking.entity,
                id=identity,
                name=identity,
                group=group,
                job_type=kind,
                config=config,
                dir=folder,
                mode=mode,  # type: ignore[arg-type]
                resume=None if mode == "offline" else "allow",
            )
            if run.settings.mode == "disabled":
                raise TimeoutError("nobody has logged in")
            return run
        except FAILURES as error:
            if mode == "offline":
                _say(f"W&B cannot be used ({_described(error)}); nothing is tracked.")
            else:
                _lose(error, folder)
    return None


def _modes() -> list[str]:
    """The modes in which a run may be started, in the order in which they are tried."""
    asked = os.environ.get("WANDB_MODE", "").lower()
    off = os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes", "on")
    if off or asked == "disabled":
        return []
    if not asked:
        asked = "online" if os.environ.get("WANDB_API_KEY") else "offline"
    if asked in ("offline", "dryrun") or _lost:
        return ["offline"]
    return [asked, "offline"]


@cache
def _folder(root: Path) -> Path:
    """Where the tracker may write its directory `wandb`: the root, or else a temporary place."""
    place = root / "wandb"
    try:
        _try_writing(place)
        return root
    except OSError as error:
        elsewhere = Path(tempfile.mkdtemp(prefix="las-"))
        _say(f"W&B cannot write to {place} ({error}); runs are written to {elsewhere / 'wandb'}.")
        return elsewhere


def _stage_tables(folder: Path) -> None:
    """Tables pass through the user's home; where that cannot be written to, through `folder`."""
    from wandb.env import DATA_DIR, get_data_dir

    try:
        _try_writing(Path(get_data_dir()))
    except OSError:
        os.environ[DATA_DIR] = str(folder / "wandb" / "data")


def _try_writing(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _end(run: wandb.Run | None, exit_code: int) -> bool:
    """Wait until a run is written, and sent if it is online; False where it was lost on the way."""
    if run is None:
        return True
    try:
        _finish(run, exit_code)
    except FAILURES as error:
        if run.settings.mode == "offline":
            _say(f"W&B failed ({_described(error)}).")
            _forget_session()
        else:
            _lose(error, Path(run.settings.root_dir))
            return False
    return True


def _finish(run: wandb.Run, exit_code: int) -> None:
    """Finish a run, in a thread that is given up in the end: the tracker may wait for ever."""
    failures: list[BaseException] = []

    def finish() -> None:
        try:
            run.finish(exit_code)
        except FAILURES as error:
            failures.append(error)

    thread = threading.Thread(target=finish, daemon=True)
    thread.start()
    thread.join(LOCAL_PATIENCE if run.settings.mode == "offline" else 2 * PATIENCE)
    if thread.is_alive():
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if "wandb" in process.name():
                    process.kill()
        thread.join(PATIENCE)
        raise TimeoutError("it does not finish")
    if failures:
        raise failures[0]


def _lose(error: BaseException, folder: Path) -> None:
    """Go on offline, in this run and all later ones."""
    global _lost
    _lost = True
    _say(
        f"W&B is out of reach ({_described(error)}); runs are written offline to "
        f"{folder / 'wandb'}, and `wandb sync` sends them later."
    )
    _forget_session()


def _forget_session() -> None:
    """A run that failed would otherwise be taken for the next one, or be waited for at the end."""
    with suppress(*FAILURES):
        import wandb

        wandb.teardown()


def _described(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


@cache
def _say(message: str) -> None:
    """Print a message, the same one no second time in a process."""
    print(message)


def _cell(value: Any) -> Any:
    """Return a value as a table holds it."""
    if value is None or isinstance(value, str | bool):
        return value
    return float(value)
