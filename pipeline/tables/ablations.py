"""The table of docs/ablations.md that shows the grid."""

from __future__ import annotations

from collections.abc import Iterator

from las.reporting.column import tabulate
from las.reporting.table import Table
from pipeline.tables.columns import ORIGINAL, System, by, loss, name, score
from pipeline.tables.measures import GPT2, QWEN2_VL, SST2
from pipeline.tables.metrics import Metrics

PARTS = (
    ORIGINAL,
    System("LAS", "t16h5"),
    System("without OAT: one band", "t16h5-one-band"),
    System("without spike-equivalent attention", "t16h5-naive-attention"),
    System("one FS neuron for a function", "t16h5-flat-functions"),
    System("thresholds by percentile", "t16h5-percentile"),
    System("thresholds by the paper's rule", "t16h5-paper-rule"),
    System("fewer FS sub-neurons (errors of 0.01)", "t16h5-coarse-functions"),
    System("the released code's thresholds", "released-h5"),
    System("floor (Eq. 7) for nearest", "t16h5-floor"),
)


def tables(metrics: Metrics) -> Iterator[Table]:
    """It alone."""
    qwen2_vl, gpt2, sst2 = (by(metrics, measure) for measure in (QWEN2_VL, GPT2, SST2))
    columns = (
        name("T = 16, H = 5"),
        score("Qwen2-VL arch.: accuracy", ".1f").of(qwen2_vl),
        loss("the same: KL").of(qwen2_vl),
        score("GPT-2 arch.: perplexity", ".2f").of(gpt2),
        loss("the same: KL").of(gpt2),
        score("MiniLM, SST-2: accuracy", ".1f").of(sst2),
        loss("the same: KL").of(sst2),
    )
    yield tabulate("parts", "", columns, PARTS)
