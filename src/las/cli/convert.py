"""las convert: turn a model into a spiking one, and write an adapter or the whole model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

from las.cli.options import add_command, add_sizes
from las.config import Rounding, SpikeConfig

_CALIBRATION_WINDOWS = 16


def add_to(commands: Any) -> None:
    """Add the command and its options."""
    defaults = SpikeConfig()
    convert = add_command(commands, "convert", run, "turn a model into a spiking one")
    convert.add_argument(
        "text", metavar="TEXTFILE", type=Path, help="UTF-8 text like what the model will read"
    )
    convert.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="directory to write the adapter to"
    )
    convert.add_argument("--time-steps", metavar="T", type=int, default=defaults.time_steps)
    convert.add_argument("--levels", metavar="H", type=int, default=defaults.levels)
    convert.add_argument("--bands", metavar="N", type=int, default=defaults.bands)
    convert.add_argument("--rounding", choices=get_args(Rounding), default=defaults.rounding)
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
    from las.conversion.convert import convert
    from las.hosts.loading import load_model, load_tokenizer

    config = SpikeConfig(options.time_steps, options.levels, options.bands, options.rounding)
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
