from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from las.calibration import SiteStatistics, Statistics, choose_thresholds
from las.config import SpikeConfig
from las.errors import CalibrationError


@pytest.fixture
def statistics(seen) -> Statistics:
    rng = np.random.default_rng(0)
    site = seen(rng.standard_normal(5000) * 3, scale_free=True)
    site.importance = site.importance * rng.random(len(site.importance))
    site.channel_peak = np.array([1.5, 2.5, 3.25])
    exp = SiteStatistics("exp", count=12, low=-9.5, high=0.0, total=-20.0, squares=100.0)
    return Statistics("base-id", "llama", {"a": site, "b": exp}, {"c": "a"}, 512)


def test_statistics_survive_a_file(statistics: Statistics, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "statistics.safetensors"
    statistics.save(path)
    again = Statistics.load(path)
    assert (again.base, again.model_type, again.tokens) == ("base-id", "llama", 512)
    assert again.shared == {"c": "a"}
    assert list(again.sites) == ["a", "b"]
    for name, site in statistics.sites.items():
        for part in ("kind", "scale_free", "count", "low", "high", "total", "squares"):
            assert getattr(again.sites[name], part) == getattr(site, part)
        assert np.array_equal(again.sites[name].histogram, site.histogram)
        assert np.allclose(again.sites[name].importance, site.importance, rtol=1e-6)
        assert np.array_equal(again.sites[name].channel_peak, site.channel_peak)


def test_thresholds_chosen_from_a_file_are_those_chosen_from_memory(
    statistics: Statistics, tmp_path: Path
) -> None:
    path = tmp_path / "statistics.safetensors"
    statistics.save(path)
    config = SpikeConfig(bands=3)
    again = choose_thresholds(Statistics.load(path), config)
    assert again == choose_thresholds(statistics, config)


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_truncated_file_is_a_clear_error(
    statistics: Statistics, tmp_path: Path, kept: int
) -> None:
    path = tmp_path / "statistics.safetensors"
    statistics.save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CalibrationError, match="collect them again"):
        Statistics.load(path)


def test_a_missing_file_and_one_of_another_kind_are_clear_errors(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    with pytest.raises(CalibrationError, match="collect them again"):
        Statistics.load(tmp_path / "none.safetensors")
    save_file({"x": np.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(CalibrationError, match="no las-statistics-2 file"):
        Statistics.load(tmp_path / "other.safetensors")


def test_the_peak_is_the_largest_magnitude() -> None:
    assert SiteStatistics("oat", count=2, low=-7.0, high=3.0).peak == 7
    assert SiteStatistics("oat").peak == 0
