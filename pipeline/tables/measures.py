"""What is measured of the models of the grid."""

from __future__ import annotations

from pipeline.tables.metrics import Measure

SMOLLM2 = Measure("smollm2-135m", "text", "wikipedia", "perplexity")
GPT2 = Measure("gpt2-wiki", "text", "wikipedia", "perplexity")
GPT2_XML = Measure("gpt2-wiki", "text", "wikipedia_xml", "bits_per_byte")
OPT = Measure("opt-wiki", "text", "wikipedia", "perplexity")
OPT_XML = Measure("opt-wiki", "text", "wikipedia_xml", "bits_per_byte")
LLAVA = Measure("llava-easy-vqa", "vqa", "easy-vqa", "acc")
QWEN2_VL = Measure("qwen2-vl-easy-vqa", "vqa", "easy-vqa", "acc")
SST2 = Measure("minilm-sst2", "glue", "glue_sst2", "acc")
SIMILARITY = {
    title: Measure("minilm-l6", "similarity", task, "spearman")
    for title, task in {
        "WordSim-353": "wordsim353",
        "SimLex-999": "simlex999",
        "Lee documents": "lee",
    }.items()
}
PAIRS = SIMILARITY["WordSim-353"]
"""On whose words the error of the last hidden state is taken."""
