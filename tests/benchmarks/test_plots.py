from __future__ import annotations

from dataclasses import replace

from benchmarks.plots import draw


def test_every_section_with_a_figure_gets_one_and_always_the_same(record, tmp_path):
    sweep = replace(
        record,
        section="width",
        cases=[
            replace(record.cases[0], name=f"hidden {width}", parameters={"width": width})
            for width in (128, 256)
        ],
    )
    table_only = replace(record, section="generation")
    paths = draw([record, sweep, table_only], tmp_path)
    assert [path.name for path in paths] == ["forward.svg", "width.svg"]
    first = [path.read_bytes() for path in paths]
    draw([record, sweep], tmp_path)
    assert [path.read_bytes() for path in paths] == first
