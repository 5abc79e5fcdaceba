"""The command line: plan, convert, audit, evaluate, energy, for people who write no Python."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from las.config import SpikeConfig
from las.errors import LasError
from las.neurons.mt import Rounding

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from las.data.windows import Window

LENGTH = 512
BATCH_SIZE = 4
CALIBRATION_WINDOWS = 16
SCORED_WINDOWS = 8
LINES_PER_WINDOW = 16
"""An encoder reads lines, which are shorter: so many take the place of one window."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what goes wrong is told in one line.

    Arguments:
        arguments: those after the program's name; of the command line if not given.

    Returns:
        The exit status: 0, or 2 after an error.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (LasError, ValueError, OSError) as error:
        print(f"las: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="las", description="Pretrained transformers as fully spike-driven networks."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    defaults = SpikeConfig()

    convert = _command(commands, "convert", _convert, "turn a model into a spiking one")
    convert.add_argument(
        "text", metavar="TEXTFILE", type=Path, help="UTF-8 text of the kind the model will see"
    )
    convert.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="where the adapter is written to"
    )
    convert.add_argument("--time-steps", metavar="T", type=int, default=defaults.time_steps)
    convert.add_argument("--levels", metavar="H", type=int, default=defaults.levels)
    convert.add_argument("--bands", metavar="N", type=int, default=defaults.bands)
    convert.add_argument("--rounding", choices=get_args(Rounding), default=defaults.rounding)
    _add_sizes(convert, CALIBRATION_WINDOWS)
    convert.add_argument(
        "--full",
        action="store_true",
        help="write the whole model with its weights and tokenizer, not only an adapter",
    )

    plan = _command(commands, "plan", _plan, "say what a model will need, from its config alone")
    plan.add_argument("--batch", metavar="B", type=int, default=1, help="sequences in a pass")
    plan.add_argument("--length", metavar="L", type=int, default=LENGTH, help="tokens of each")
    plan.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    plan.add_argument("--time-steps", metavar="T", type=int, default=defaults.time_steps)
    plan.add_argument("--levels", metavar="H", type=int, default=defaults.levels)
    plan.add_argument("--gpus", metavar="NxGB", help="e.g. 8x24: eight GPUs of 24 GB (1e9 bytes)")
    plan.add_argument(
        "--cpu-memory", metavar="GB", type=float, help="what is free here, if not given"
    )
    plan.add_argument("--disk", metavar="GB", type=float, help="free space, to be compared")
    plan.add_argument(
        "--flops", metavar="F", type=float, help="per second, of that machine, e.g. 150e12"
    )
    plan.add_argument("--neurons", metavar="N", type=float, help="values coded per second")
    plan.add_argument("--json", action="store_true", help="everything, as JSON")

    audit = _command(commands, "audit", _audit, "list what spikes, and what is still float")
    audit.add_argument("--adapter", metavar="DIR", type=Path, help="what `las convert` wrote")
    audit.add_argument(
        "--markdown", action="store_true", help="a table of every operation, not a summary"
    )

    for name, run, summary in (
        ("evaluate", _evaluate, "score a language model and its spiking version on text"),
        ("energy", _energy, "count spikes on text and estimate the energy (Eq. 25)"),
    ):
        command = _command(commands, name, run, summary)
        command.add_argument(
            "--adapter", metavar="DIR", type=Path, required=True, help="what `las convert` wrote"
        )
        command.add_argument(
            "--text", metavar="FILE", type=Path, required=True, help="UTF-8 text, unseen so far"
        )
        _add_sizes(command, SCORED_WINDOWS)
        if name == "evaluate":
            command.add_argument(
                "--each-step", action="store_true", help="after each of the T time steps"
            )
    return parser


def _command(commands: Any, name: str, run: Any, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "model", metavar="MODEL", help="a model's directory, or its name on the hub"
    )
    return parser


def _plan(options: argparse.Namespace) -> None:
    import json

    import psutil

    from las.planning import GB, Devices, parse_gpus, plan

    memory = options.cpu_memory
    devices = Devices(
        parse_gpus(options.gpus) if options.gpus else (),
        psutil.virtual_memory().available if memory is None else memory * GB,
        None if options.disk is None else options.disk * GB,
    )
    made = plan(
        options.model,
        batch=options.batch,
        length=options.length,
        dtype=options.dtype,
        config=SpikeConfig(options.time_steps, options.levels),
        devices=devices,
        flops=options.flops,
        neurons=options.neurons,
    )
    print(json.dumps(made.to_dict(), indent=1) if options.json else made)


def _add_sizes(parser: argparse.ArgumentParser, windows: int) -> None:
    parser.add_argument(
        "--windows",
        metavar="N",
        type=int,
        help="windows of a language model, or lines of an encoder, spread evenly over the text; "
        f"{windows} windows, {windows * LINES_PER_WINDOW} lines or what there is, if not given",
    )
    parser.add_argument(
        "--length",
        metavar="L",
        type=int,
        help=f"tokens per window; {LENGTH} or what the model can read, if not given",
    )
    parser.set_defaults(usual_windows=windows)


def _convert(options: argparse.Namespace) -> None:
    from las.conversion.adapter import save
    from las.conversion.convert import convert

    config = SpikeConfig(options.time_steps, options.levels, options.bands, options.rounding)
    if options.out.exists() and not options.out.is_dir():
        raise ValueError(f"{options.out} is a file: name a directory with --out")
    _need_file(options.text)
    model, tokenizer = _load_model(options.model), _load_tokenizer(options.model)
    convert(model, list(_batches(model, tokenizer, options)), config)
    if options.full:
        model.save_pretrained(options.out)
        tokenizer.save_pretrained(options.out)
        print(f"spiking model written to {options.out}; `import las` before from_pretrained")
    else:
        size = save(model, options.out).stat().st_size
        print(f"adapter of {size / 1e6:.2f} MB written to {options.out}")


def _audit(options: argparse.Namespace) -> None:
    from las.conversion.adapter import load
    from las.conversion.audit import audit

    model = _load_model(options.model)
    if options.adapter is not None:
        load(model, options.adapter)
    report = audit(model)
    print(report.to_markdown() if options.markdown else report)


def _evaluate(options: argparse.Namespace) -> None:
    from las.conversion.adapter import load
    from las.evaluation.anytime import compare_after_each_step
    from las.evaluation.text import compare_language_models
    from las.hosts.twin import twin

    _need_file(options.text)
    ann, tokenizer = _load_model(options.model), _load_tokenizer(options.model)
    if not _is_language_model(ann):
        raise ValueError(
            f"{options.model} is a {type(ann).__name__}: las evaluate scores causal language "
            "models; for encoders see las.evaluation.similarity"
        )
    snn = load(twin(ann), options.adapter)
    windows, task = _windows(ann, tokenizer, options), options.text.name
    if options.each_step:
        scores = compare_after_each_step(ann, snn, windows, task=task)
        print(f"perplexity, ANN       {scores[0].ann:.5g}")
        print(" t   perplexity, SNN   KL(ANN || SNN)   same top-1 token   spikes per token")
        for t, score in enumerate(scores, start=1):
            print(
                f"{t:2}   {score.snn:15.5g}   {score.kl:14.3g}   {score.agreement:16.2%}   "
                f"{score.extra['spikes_per_token']:16,.0f}"
            )
        return
    score = compare_language_models(ann, snn, windows, task=task, metric="perplexity")
    change = f"{score.extra['relative_change_percent']:+.4f} %"
    if "relative_change_stderr_percent" in score.extra:
        change += f" (± {score.extra['relative_change_stderr_percent']:.4f} %)"
    print(f"perplexity, ANN       {score.ann:.5g}")
    print(f"perplexity, SNN       {score.snn:.5g}")
    print(f"change                {change}")
    print(f"KL(ANN || SNN)        {score.kl:.3g} nats per token")
    print(f"same top-1 token      {score.agreement:.2%}")
    print(f"tokens predicted      {score.items:,}")
    print(
        f"seconds               ANN {score.extra['seconds_ann']:.1f}, "
        f"SNN {score.extra['seconds_snn']:.1f}"
    )


def _energy(options: argparse.Namespace) -> None:
    import torch
    from tqdm.auto import tqdm

    from las.conversion.adapter import load
    from las.energy.counting import count_spikes
    from las.energy.model_energy import energy

    _need_file(options.text)
    model, tokenizer = _load_model(options.model), _load_tokenizer(options.model)
    load(model, options.adapter)
    with count_spikes(model) as spikes, torch.no_grad():
        for batch in tqdm(list(_batches(model, tokenizer, options)), desc="counting", unit="batch"):
            model(**batch)
    report = energy(model, spikes)
    print(f"{'kind':<12}{'SOPs':>18}{'MACs':>18}{'E_SNN (mJ)':>14}{'E_ANN (mJ)':>14}{'ratio':>9}")
    for row in [*report.grouped(lambda row: row.kind), report.total]:
        ratio = "–" if row.ratio is None else f"{row.ratio:.3f}"
        print(
            f"{row.name:<12}{row.sops:>18,}{row.macs:>18,}{row.snn_pj / 1e9:>14.4g}"
            f"{row.ann_pj / 1e9:>14.4g}{ratio:>9}"
        )
    activations = sum(site.activations for site in spikes.sites.values())
    print(
        f"\n{spikes.tokens:,} tokens; {spikes.spikes / activations:.2f} spikes per coded value; "
        f"{spikes.out_of_range:,} of {activations:,} values out of the calibrated range"
    )


def _need_file(path: Path) -> None:
    """Raise FileNotFoundError before a model is loaded in vain."""
    if not path.is_file():
        raise FileNotFoundError(f"no such text file: {path}")


def _load_model(name: str) -> PreTrainedModel:
    """Load a model in float32, of the class its config calls for; no code of others is run."""
    import torch
    from transformers import (
        AutoConfig,
        AutoModel,
        AutoModelForCausalLM,
        AutoModelForSeq2SeqLM,
        AutoModelForTextEncoding,
    )

    if name.startswith((".", "/", "~")) and not Path(name).is_dir():
        raise FileNotFoundError(f"no such model directory: {name}")
    config = AutoConfig.from_pretrained(name, trust_remote_code=False)
    architecture = (config.architectures or [""])[0]
    model_class: Any = AutoModel
    if _is_causal(architecture):
        model_class = AutoModelForCausalLM
    elif config.is_encoder_decoder:
        model_class = AutoModelForSeq2SeqLM
    elif architecture.endswith("EncoderModel"):  # half of an encoder-decoder model
        model_class = AutoModelForTextEncoding
    model: PreTrainedModel = model_class.from_pretrained(
        name, dtype=torch.float32, trust_remote_code=False
    )
    return model.eval()


def _load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        name, trust_remote_code=False
    )
    return tokenizer


def _is_causal(class_name: str) -> bool:
    return class_name.endswith(("ForCausalLM", "LMHeadModel"))


def _is_language_model(model: PreTrainedModel) -> bool:
    return _is_causal(type(model).__name__)


def _batches(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, options: argparse.Namespace
) -> Iterator[dict[str, Tensor]]:
    """Forward kwargs from a text file: windows for a language model, lines for an encoder.

    Raises:
        ValueError: the model is an encoder with a decoder.
    """
    from las.data.windows import evenly_spaced, padded_batches, window_batches

    if model.config.is_encoder_decoder:
        raise ValueError(
            f"a {type(model).__name__} reads one text and writes another, and a text file has no "
            "such pairs: use it in Python, with batches of input_ids, attention_mask and labels"
        )
    if _is_language_model(model):
        return window_batches(_windows(model, tokenizer, options), BATCH_SIZE)
    lines = [line.strip() for line in _lines(options.text) if line.strip()]
    chosen = evenly_spaced(lines, _count(options, len(lines), LINES_PER_WINDOW))
    return padded_batches(
        sorted(chosen, key=len),
        tokenizer,
        batch_size=BATCH_SIZE,
        max_length=_length(model, options),
    )


def _windows(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, options: argparse.Namespace
) -> list[Window]:
    from las.data.windows import evenly_spaced, token_windows

    texts = _paragraphs(options.text)
    windows = list(token_windows(texts, tokenizer, _length(model, options)))
    return evenly_spaced(windows, _count(options, len(windows)))


def _count(options: argparse.Namespace, available: int, scale: int = 1) -> int:
    """How many windows to take: exactly as many as asked for, or the usual number at most."""
    if options.windows is not None:
        return int(options.windows)
    return max(1, min(options.usual_windows * scale, available))


def _length(model: PreTrainedModel, options: argparse.Namespace) -> int:
    """Tokens per window.

    Raises:
        ValueError: more than the model can read.
    """
    longest = getattr(model.config, "max_position_embeddings", None) or LENGTH
    if options.length is None:
        return min(LENGTH, longest)
    if options.length > longest:
        raise ValueError(f"--length {options.length} is more than the model's {longest} positions")
    return int(options.length)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: {error.reason}") from error


def _paragraphs(path: Path) -> Iterator[str]:
    """Texts between empty lines, one at a time."""
    paragraph: list[str] = []
    for line in _lines(path):
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield "".join(paragraph).rstrip("\n")
            paragraph = []
    if paragraph:
        yield "".join(paragraph).rstrip("\n")


if __name__ == "__main__":
    sys.exit(main())
