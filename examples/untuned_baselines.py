"""What published conversions lose without fine-tuning: the tables of docs/baselines.md.

python examples/untuned_baselines.py data/models/minilm-l6
python examples/untuned_baselines.py data/models/smollm2-135m

Of an encoder it is the relative error of the last hidden state, of a language model the perplexity,
both on Wikipedia articles that calibration has not seen. The third table of an encoder says what
calibration has to do with it.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

import las
from las import baselines
from las.baselines import METHODS
from las.data.calibration import calibration_texts, calibration_windows
from las.data.wikipedia import articles
from las.data.windows import evenly_spaced, token_windows, window_batches
from las.evaluation.text import compare_language_models
from las.hosts.twin import twin

DUMP = Path(
    "data/assets/wikipedia/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
)
TOKENS, LENGTH = 512, 128  # that are measured, in windows of so many
TEXTS, LONGEST = 48, 256  # to calibrate on, of so many tokens at most
STEPS = 8, 16, 32
EXPECTATION = replace(METHODS["spikezip-tf"], time="expectation")
ROUNDING = replace(METHODS["spikezip-tf"], time="layerwise")
NEURONS = {
    "rounding": ROUNDING,
    "IF of QCFS": METHODS["qcfs"],
    "SRP, tau = 4": METHODS["srp"],
    "COS, rho = 4": METHODS["cos"],
    "ST-BIF, expectation compensation": EXPECTATION,
    "ST-BIF, differences (`spikezip-tf`)": METHODS["spikezip-tf"],
}
OTHERS = "fas", "sta", "ecmt", "spikedattention"
OF_LANGUAGE = {
    "rounding, T = 16": (ROUNDING, 16),
    "ST-BIF, expectation compensation, T = 16": (EXPECTATION, 16),
    "ST-BIF, differences (`spikezip-tf`), T = 16": (METHODS["spikezip-tf"], 16),
    "`ecmt`, T = 8": (METHODS["ecmt"], 8),
}


def held_out(length):
    """Windows of held-out prose, `TOKENS` tokens in all."""
    texts = (article.text for article in articles(DUMP, "held-out"))
    return evenly_spaced(list(token_windows(texts, tokenizer, length)), TOKENS // length)


def texts(count):
    """Calibration data of an encoder."""
    given = dict(count=count, length=LONGEST, batch_size=16)
    return list(calibration_texts(DUMP, tokenizer, **given))


def measure(method, steps, seen, windows):
    """Error of the last hidden state, spikes a value, and the ratio of Eq. 25."""
    snn = baselines.convert(twin(original), seen[method.per], method, time_steps=steps)
    (batch,) = window_batches(windows, len(windows))
    with torch.no_grad(), las.count_spikes(snn) as spikes:
        hidden = snn(**batch).last_hidden_state
        expected = original(**batch).last_hidden_state
    fired = sum(site.spikes for site in spikes.sites.values())
    values = sum(site.activations for site in spikes.sites.values())
    error = float((hidden - expected).norm() / expected.norm())
    return error, fired / values, las.energy(snn, spikes).total.ratio


def row(name, *columns):
    """One line of a table; three figures at least."""
    cells = (" ".join(f"{x:.3f}" if x < 1 else f"{x:.2f}" for x in column) for column in columns)
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def encoder():
    """The three tables of an encoder."""
    windows, batches = held_out(LENGTH), texts(TEXTS)
    seen = {per: baselines.observe(original, batches, per) for per in ("channel", "tensor")}
    print("| | FFN only | all linear layers | spikes a value |\n|---|---|---|---|")
    for name, method in NEURONS.items():
        found = {
            sites: [measure(replace(method, sites=sites), t, seen, windows) for t in STEPS]
            for sites in ("ffn", "linear")
        }
        errors = [[error for error, *_ in ones] for ones in found.values()]
        fired = [fired for _, fired, _ in found["linear"]]
        row(name, *errors, [] if method is ROUNDING else fired)
    print("\n| | error | spikes a value | Eq. 25 |\n|---|---|---|---|")
    for name in OTHERS:
        found = [measure(METHODS[name], t, seen, windows) for t in STEPS]
        row(f"`{name}`", *zip(*found, strict=True))
    print("\n| rounding, T = 16, texts | windows of 128 | 256 | 512 |\n|---|---|---|---|")
    for count in (8, TEXTS, 256):
        seen = {"channel": baselines.observe(original, texts(count))}
        for sites in ("ffn", "linear"):
            method = replace(ROUNDING, sites=sites)
            lengths = (128, 256, 512)
            found = [measure(method, 16, seen, held_out(length))[0] for length in lengths]
            row(f"{count}, {sites}", *([error] for error in found))


def language_model():
    """The table of a language model."""
    given = dict(count=TEXTS // 8, length=512, batch_size=2)
    batches = list(calibration_windows(DUMP, tokenizer, **given))
    windows = held_out(256)
    print("| | perplexity | the original's | same top token |\n|---|---|---|---|")
    for name, (method, steps) in OF_LANGUAGE.items():
        seen = baselines.observe(original, batches, method.per)
        snn = baselines.convert(twin(original), seen, method, time_steps=steps)
        score = compare_language_models(original, snn, windows, task=name, metric="perplexity")
        row(name, [score.spiking], [score.ann], [score.agreement])


name = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(name)
if "CausalLM" in AutoConfig.from_pretrained(name).architectures[0]:
    original = AutoModelForCausalLM.from_pretrained(name).eval()
    language_model()
else:
    original = AutoModel.from_pretrained(name).eval()
    encoder()
