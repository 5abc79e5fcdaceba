"""Let a model and its spiking forms write on, and see at which token they part.

python examples/where_they_part.py MODEL TEXT ADAPTER [ADAPTER ...]
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import las
from las.conversion import twin

PROMPTS, PROMPT_TOKENS, WRITTEN = 20, 12, 256

base, text, *adapters = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(base)
original = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()

paragraphs = [tokenizer(part).input_ids for part in Path(text).read_text().split("\n\n")]
long = [ids[:PROMPT_TOKENS] for ids in paragraphs if len(ids) >= PROMPT_TOKENS]
prompts = torch.tensor(long[:PROMPTS])


def write_on(model: torch.nn.Module) -> torch.Tensor:
    """The most likely token, again and again, (prompts, WRITTEN)."""
    written = model.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        max_new_tokens=WRITTEN,
        min_new_tokens=WRITTEN,
        do_sample=False,
        pad_token_id=0,
    )
    return written[:, prompts.shape[1] :]


expected = write_on(original)
for adapter in adapters:
    given = write_on(las.load(twin(original), adapter))
    equal = (given == expected).long().cumprod(1).sum(1)  # tokens until the first other one
    whole = int((equal == WRITTEN).sum())
    parted = sorted(equal[equal < WRITTEN].tolist())
    print(f"{adapter}: {whole} of {len(equal)} alike for {WRITTEN} tokens; parted after {parted}")
