"""Convert a language model of your own, and save what makes it spike.

python examples/convert_a_model.py HuggingFaceTB/SmolLM2-135M-Instruct my.txt adapter

The text file holds some thousand words like those that the model will see, in paragraphs.
"""

import sys
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer

import las

name, text, adapter = sys.argv[1:]
tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModelForCausalLM.from_pretrained(name)
cut = dict(truncation=True, max_length=512, return_tensors="pt")
paragraphs = Path(text).read_text(encoding="utf-8").split("\n\n")

las.convert(model, [tokenizer(paragraph, **cut) for paragraph in paragraphs])

print(model.las_report)
las.save(model, adapter)
