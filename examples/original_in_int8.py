"""How well an original answers in INT8: what a spiking model's energy in INT8 is compared with.

python examples/original_in_int8.py data/models/smollm2-135m text
python examples/original_in_int8.py data/models/minilm-l6 similarity

Of every linear layer, weights are rounded to 255 levels for each output, and inputs for each token
at the time they come in. The rounded numbers are multiplied in float32, which changes nothing but
the last digits. Embeddings, attention's products, norms and functions are left as they are.
"""

import copy
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from las.evaluation.suites.similarity import Similarity
from las.evaluation.suites.text import Text

ASSETS = Path("data/assets")
DUMP = "wikipedia/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
WORDS = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt", "lee": ""}
SUITES = {  # as in conf/evaluation
    "text": (AutoModelForCausalLM, Text(dump=DUMP, windows=8, window_tokens=512)),
    "similarity": (
        AutoModel,
        Similarity(
            batch_size=32,
            max_length=256,
            **{name: f"word-similarity/{file}" for name, file in WORDS.items()},
        ),
    ),
}


def rounded(x: Tensor) -> Tensor:
    """x in steps of 1/127 of its largest magnitude along the last dimension."""
    step = x.abs().amax(-1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny) / 127
    return (x / step).round() * step


def in_int8(original: nn.Module) -> nn.Module:
    """A copy whose linear layers multiply integers of 8 bits."""
    model = copy.deepcopy(original)
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.weight = nn.Parameter(rounded(layer.weight.data))  # no longer tied to embeddings
            layer.register_forward_pre_hook(lambda _, inputs: (rounded(inputs[0]), *inputs[1:]))
    return model


name, chosen = sys.argv[1:]
kind, suite = SUITES[chosen]
original = kind.from_pretrained(name).eval()
tokenizer = AutoTokenizer.from_pretrained(name)
with torch.no_grad():
    for score in suite.score(original, in_int8(original), tokenizer, ASSETS):
        print(
            f"{score.task} {score.metric}: {score.ann:.3f}, in INT8 {score.snn:.3f}"
            + ("" if score.kl is None else f"   KL {score.kl:.1e}")
            + f"   alike {score.agreement:.2%}"
        )
