"""The experiments of Tables 5 and 6 and of Figure 5 at the paper's scale."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from las.data.glue import GLUE
from las.reporting.ablated import ablation_of
from las.reporting.paper.cited_rows import cited_levels, cited_table
from pipeline.neuron import neuron_fields
from tests.pipeline.test_ablations import swept


@pytest.fixture
def cells(composed) -> Any:
    """The configuration of every cell of an experiment, or of those with one of the models."""

    def of(experiment: str, model: str = "") -> list[DictConfig]:
        made = [
            composed(f"experiment={experiment}", *(f"{key}={value}" for key, value in one.items()))
            for one in swept(experiment)
            if model in one["model"]
        ]
        for cfg in made:
            OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
        return made

    return of


def test_table_5_goes_over_the_papers_levels_on_sts_b(cells) -> None:
    made = cells("table5")
    assert {(cfg.model.row, cfg.model.glue.task, cfg.evaluation.name) for cfg in made} == {
        ("BERT", "stsb", "glue")
    }
    assert [(cfg.neuron.time_steps, cfg.neuron.levels) for cfg in made] == [
        (16, levels) for levels in cited_levels()
    ]


def test_table_6_goes_over_the_papers_time_steps_on_all_tasks(cells) -> None:
    steps = [int(str(row[2])) for row in cited_table(6).rows if str(row[0]).startswith("LAS (")]
    found = [(cfg.neuron.time_steps, cfg.neuron.levels) for cfg in cells("table6", "-mrpc")]
    assert found == [(t, 5) for t in steps]
    named = [(cell["model"], cell["neuron"]) for cell in swept("table6")]
    assert sorted(named) == sorted((f"bert-base-{task}", f"t{t}h5") for task in GLUE for t in steps)


def test_figure_5_takes_two_parts_out_and_leaves_table_4_alone(cells, composed) -> None:
    made = cells("figure5")
    assert {(cfg.model.row, *cfg.evaluation.sets) for cfg in made} == {
        ("Qwen2-VL-7B", "RealWorldQA")
    }
    fields = [neuron_fields(cfg) for cfg in made]
    assert [ablation_of(one) for one in fields if one] == [
        *("", "one band (no OAT)", "naive attention")
    ]
    table_4 = composed("experiment=table4", "model=qwen2-vl-7b")
    assert table_4.evaluation.name not in {cfg.evaluation.name for cfg in made}
    assert made[0].evaluation["_target_"] == table_4.evaluation["_target_"]
    assert made[0].evaluation.prompt == table_4.evaluation.prompt
