"""Names as the report shows them."""

from __future__ import annotations

from las.reporting.names import evaluation_title
from pipeline.paths import ROOT


def test_every_evaluation_has_a_title_of_its_own() -> None:
    names = [path.stem for path in (ROOT / "conf" / "evaluation").glob("*.yaml")]
    titles = {evaluation_title(name) for name in names}
    assert len(titles) == len(names) > 5
    assert not titles & {"zero_shot", "glue", "vqa", "text"}
    assert evaluation_title("of_my_own") == "of_my_own"
