from __future__ import annotations

from benchmarks.records import SNN, Case, Comparison, read_records


def test_a_case_knows_its_ratios_and_its_noise(record):
    case = record.cases[0]
    ratios, noise = case.ratios(SNN), case.noise(SNN)
    assert (ratios.smallest, ratios.median, ratios.largest) == (1.0, 1.25, 1.5)
    assert (noise.smallest, noise.largest, noise.count) == (2.0, 2.0, 2)


def test_what_has_no_reference_has_no_ratio():
    case = Case("fit", {"functions": [1.0, 2.0]}, (Comparison("functions", "functions"),))
    assert case.ratios(case.comparisons[0]) is None
    assert case.noise(case.comparisons[0]) is None


def test_one_round_tells_nothing_of_noise():
    assert Case("one", {"ann": [1.0], "snn": [2.0]}, (SNN,)).noise(SNN) is None


def test_records_are_read_back_as_they_were(record, tmp_path):
    record.write(tmp_path)
    assert read_records(tmp_path, ["generation", "forward"]) == [record]
    assert [path.name for path in tmp_path.iterdir()] == ["forward.json"]
