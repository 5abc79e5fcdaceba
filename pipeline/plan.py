"""What every model of an experiment needs, and whether this machine has it; nothing is downloaded.

python -m pipeline.plan experiment=table1
python -m pipeline.plan model=opt-66b neuron=t8h5
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from las.errors import UnsupportedModelError
from pipeline import paths
from pipeline.neuron import spike_config
from pipeline.progress import swept

if TYPE_CHECKING:
    from las.planning import Devices

LENGTH = 512
COLUMNS = (
    *("model", "parameters", "weights", "conversion", "GPUs", "CPU", "disk at work"),
    *("files", "ANN, 1k", "SNN, 1k", "here"),
)


def models(overrides: list[str]) -> list[DictConfig]:
    """The configuration of every model that a sweep with these overrides runs over.

    Of what else is swept, the first value stands for all.
    """
    with initialize_config_dir(paths.CONF, version_base="1.3"):
        whole = compose("config", overrides=overrides, return_hydra_config=True)
        values = swept(whole, overrides)
        of_model = values.pop("model", [f"model={whole.model.name}"])
        first = [texts[0] for texts in values.values()]
        return [compose("config", overrides=[*first, model]) for model in of_model]


def machine(root: Path) -> Devices:
    """What this machine has free."""
    from las.planning import Devices

    count = torch.cuda.device_count()
    gpus = [torch.cuda.get_device_properties(i).total_memory for i in range(count)]
    free = shutil.disk_usage(root).free
    return Devices(tuple(map(float, gpus)), psutil.virtual_memory().available, free)


def row(cfg: DictConfig, devices: Devices) -> tuple[str, ...]:
    """What one model needs, by `COLUMNS`; what cannot be planned says why.

    A model that is not converted is planned for its weights alone.
    """
    from las.hosts.loading import read_config
    from las.planning import plan
    from las.planning.meta_model import meta_model
    from las.planning.placement import place

    dtype = cfg.model.get("dtype", "float32")
    size = getattr(torch, dtype).itemsize
    conversion = ann = snn = "–"
    try:
        with tempfile.TemporaryDirectory() as folder:
            source = _config(cfg, Path(folder))
            if paths.spiking(cfg):
                config = spike_config(cfg)
                made = plan(source, length=LENGTH, dtype=dtype, config=config, devices=devices)
                parameters, placement = made.parameters, made.placement
                conversion = _size(made.conversion)
                ann, snn = _time(made.seconds_ann), _time(made.seconds_snn)
            else:
                model = meta_model(read_config(source), getattr(torch, dtype))
                parameters = sum(one.numel() for one in model.parameters())
                placement = place(model, devices, 0)
    except (ValueError, OSError, UnsupportedModelError) as error:
        return (cfg.model.name, *["–"] * (len(COLUMNS) - 2), f"no: {error}")
    files = parameters * size * (2 if dtype == "float32" else 1)  # pipeline.fetch writes a copy
    held = placement.bytes
    lacking = files + placement.read - (devices.disk or 0)
    here = "yes"
    if lacking > 0:
        here = f"no: {_size(lacking)} of disk lacking"
    elif placement.read:
        here = f"slowly: {_size(placement.read)} from disk each pass"
    return (
        cfg.model.name,
        f"{parameters / 1e9:,.3g} G",
        _size(parameters * size),
        conversion,
        _size(sum(held[name] for name in held if name.startswith("GPU"))),
        _size(held.get("CPU", 0)),
        _size(placement.read),
        _size(files),
        ann,
        snn,
        here,
    )


def _config(cfg: DictConfig, folder: Path) -> Path:
    """The model's config.json: of its `shape`, or where it has been fetched.

    Raises:
        FileNotFoundError: it has neither.
    """
    if "shape" in cfg.model:
        shape: Any = OmegaConf.to_container(cfg.model.shape, resolve=True)
        (folder / "config.json").write_text(json.dumps(shape))
        return folder / "config.json"
    fetched = paths.models(Path(cfg.root)) / cfg.model.name / "config.json"
    if not fetched.exists():
        raise FileNotFoundError(
            f"{fetched} is not there, and conf/model/{cfg.model.name}.yaml names no shape:"
            f" python -m pipeline.fetch only=model model={cfg.model.name}"
        )
    return fetched


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count else "–"


def _time(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds:,.1f} s"


def main() -> None:
    """Print the table."""
    cfgs = models(sys.argv[1:])
    devices = machine(Path(cfgs[0].root))
    print(
        f"this machine: {len(devices.gpus)} GPUs, {_size(devices.cpu)} of memory and"
        f" {_size(devices.disk or 0)} of disk free;"
        f" passes of {LENGTH} tokens, times of 1,000"
    )
    print(_line(COLUMNS))
    for cfg in cfgs:
        print(_line(row(cfg, devices)), flush=True)


def _line(cells: tuple[str, ...]) -> str:
    return "  ".join([cells[0].ljust(15), *(cell.rjust(12) for cell in cells[1:-1]), cells[-1]])


if __name__ == "__main__":
    main()
