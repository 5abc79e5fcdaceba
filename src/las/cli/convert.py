"""las convert: turn a model into a spiking one, and write an adapter or the whole model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

from las.cli.options import add_command, add_sizes
from las.config import Rounding, SpikeConfig

_CALIBRATION_WINDOWS = 16
_OPTIONS = ("budget", "time_steps", "levels", "bands", "rounding")


def add_to(commands: Any) -> None:
    """Add the command and its options."""
    defaults, frugal = SpikeConfig(), SpikeConfig(budget=1)
    convert = add_command(commands, "convert", run, "turn a model into a spiking one")
    convert.add_argument(
        "text", metavar="TEXTFILE", type=Path, help="UTF-8 text like what the model will read"
    )
    convert.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="directory to write the adapter to"
    )
    convert.add_argument(
        "--budget",
        metavar="LOSS",
        type=float,
        help="fewest spikes within this loss, e.g. 4e-4: KL divergence in nats for each token, or "
        "relative squared error of an embedding",
    )
    for option, metavar in (("time_steps", "T"), ("levels", "H"), ("bands", "N")):
        usual = getattr(defaults, option), getattr(frugal, option)
        convert.add_argument(
            f"--{option.replace('_', '-')}",
            metavar=metavar,
            type=int,
            help=f"by default {usual[0]}; with a budget {usual[1]}",
        )
    convert.add_argument(
        "--rounding",
        choices=get_args(Rounding),
        help=f"by default {defaults.rounding}; with a budget {frugal.rounding}",
    )
    add_sizes(convert, _CALIBRATION_WINDOWS)
    convert.add_argument(
        "--full",
        action="store_true",
        help="write the whole model with its weights and tokenizer, not only an adapter",
    )


def run(options: argparse.Namespace) -> None:
    """Convert a model, write the result, and print how it compares with the original."""
    from las.cli.texts import batches, need_file
    from las.conversion.adapter import save
    from las.conversion.checkpoint import converted_in
    from las.conversion.convert import convert
    from las.hosts.loading import load_model, load_tokenizer

    given = {name: getattr(options, name) for name in _OPTIONS}
    config = SpikeConfig(**{name: value for name, value in given.items() if value is not None})
    if options.out.exists() and not options.out.is_dir():
        raise ValueError(f"{options.out} is a file: name a directory with --out")
    need_file(options.text)
    model, tokenizer = load_model(options.model), load_tokenizer(options.model)
    convert(model, list(batches(model, tokenizer, options)), config)
    if options.full:
        model.save_pretrained(options.out)
        tokenizer.save_pretrained(options.out)
        print(f"spiking model written to {options.out}; `import las` before from_pretrained")
    else:
        size = save(model, options.out).stat().st_size
        print(f"adapter of {size / 1e6:.2f} MB written to {options.out}")
    print(f"\nspiking beside the original, on one window or line:\n{model.las_report}")
    if (spent := converted_in(model)[1].spent) is not None:
        print(spent)
