from __future__ import annotations

import json
import math
from typing import Any

import pytest

from las.evaluation.score import Score


def score(**changes: Any) -> Score:
    values: dict[str, Any] = {
        "task": "piqa",
        "metric": "acc",
        "higher_is_better": True,
        "ann": 0.7,
        "snn": 0.6,
        "ann_stderr": None,
        "snn_stderr": 0.1,
        "items": 10,
        "items_available": 100,
        "agreement": 0.9,
        "kl": 1e-5,
        "extra": {"kl_max": 1e-4},
    }
    return Score(**(values | changes))


def test_a_score_survives_json() -> None:
    assert Score.from_dict(json.loads(json.dumps(score().to_dict()))) == score()


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        score(snn=math.nan)


def test_no_items_or_more_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="items"):
        score(items=0)
    with pytest.raises(ValueError, match="items"):
        score(items=101)
