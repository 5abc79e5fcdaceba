from __future__ import annotations

import pytest
import torch
from torch import Tensor

import las
from las.components.site import accumulate
from las.components.softmax import SpikingSoftmax, subtract_running_max
from las.errors import CalibrationError


def increments(*shape: int, steps: int = 16) -> list[Tensor]:
    """Scores that arrive over T steps, coarse to fine and of both signs."""
    return [torch.randn(shape, dtype=torch.float64) * 8 * 2.0**-t for t in range(1, steps + 1)]


def causal(keys: int) -> Tensor:
    return torch.ones(keys, keys, dtype=torch.bool).tril()


def run(softmax: SpikingSoftmax, z: list[Tensor], allowed: Tensor | None) -> Tensor:
    """On the fused path, or on the simulator inside `las.simulate`."""
    if softmax.run.simulating:
        return accumulate(softmax.simulate(iter(z), allowed))
    scores = sum(z, start=torch.zeros_like(z[0]))
    return softmax(scores if allowed is None else scores.masked_fill(~allowed, -torch.inf))


def test_the_running_maximum_is_subtracted_exactly_at_every_step() -> None:
    """Eqs. 16 and 24: after t steps the outputs add up to z - max z of what has arrived."""
    z = increments(3, 10)
    total, arrived = torch.zeros(3, 10, dtype=torch.float64), torch.zeros(3, 10).double()
    for arriving, corrected in zip(z, subtract_running_max(iter(z), None), strict=True):
        arrived += arriving
        total += corrected
        assert torch.allclose(total, arrived - arrived.amax(-1, keepdim=True), atol=1e-13)
        assert total.max() <= 1e-13


def test_masked_entries_take_no_part_in_the_running_maximum() -> None:
    z = increments(6, 6)
    z[0][0, 5] = 1e6  # the largest by far, but in the future of row 0
    total = accumulate(subtract_running_max(iter(z), causal(6)))
    assert (total[~causal(6)] == -torch.inf).all()
    arrived = sum(z).masked_fill(~causal(6), -torch.inf)
    expected = (arrived - arrived.amax(-1, keepdim=True))[causal(6)]
    assert torch.allclose(total[causal(6)], expected, atol=1e-13)


@pytest.mark.parametrize("masked", [False, True])
def test_both_paths_agree(spiking, assert_one_truth, masked: bool) -> None:
    torch.manual_seed(0)
    softmax = spiking(SpikingSoftmax())
    z = increments(2, 3, 12, 12)
    allowed = causal(12) if masked else None
    p = assert_one_truth(softmax, lambda: run(softmax, z, allowed))
    scores = sum(z) if allowed is None else sum(z).masked_fill(~allowed, -torch.inf)
    assert torch.allclose(p, scores.softmax(-1), atol=1e-4)
    assert torch.allclose(p.sum(-1), torch.ones(2, 3, 12).double(), atol=1e-4)


def test_masked_entries_are_exactly_zero_and_emit_no_spike(spiking, both_paths) -> None:
    softmax = spiking(SpikingSoftmax())
    z = increments(5, 9)
    allowed = torch.rand(5, 9) < 0.5
    allowed[:, 0] = True
    fused, simulated, *tallies = both_paths(softmax, lambda: run(softmax, z, allowed))
    assert (fused[~allowed] == 0).all()
    assert (simulated[~allowed] == 0).all()
    scores = sum(z)
    for row in range(5):  # the same spikes as where the masked entries never existed
        with las.count_spikes(softmax) as alone:
            softmax(scores[row][allowed[row]])
        for tally in tallies:
            tally.sites["top.exp"].spikes -= alone.sites["top.exp"].spikes
    assert [tally.sites["top.exp"].spikes for tally in tallies] == [0, 0]


def test_masked_entries_are_not_out_of_range(spiking) -> None:
    softmax = spiking(SpikingSoftmax())
    scores = torch.randn(4, 6, dtype=torch.float64)
    scores[:, 3:] = -torch.inf
    with las.count_spikes(softmax) as tally:
        softmax(scores)
    assert tally.out_of_range == 0


def test_a_row_without_any_entry_is_zero_not_nan(spiking, both_paths) -> None:
    """A query at a padded position sees no key at all."""
    softmax = spiking(SpikingSoftmax())
    z = increments(3, 4)
    allowed = torch.ones(3, 4, dtype=torch.bool)
    allowed[1] = False
    fused, simulated, *_ = both_paths(softmax, lambda: run(softmax, z, allowed))
    for p in (fused, simulated):
        assert (p[1] == 0).all()
        assert torch.allclose(p[[0, 2]].sum(-1), torch.ones(2).double(), atol=1e-4)


def test_scores_of_any_size_and_offset_give_rows_that_sum_to_one(spiking) -> None:
    softmax = spiking(SpikingSoftmax())
    for offset in (-1e4, 0.0, 1e4):
        for size in (0.0, 1.0, 100.0):
            z = torch.randn(7, 20, dtype=torch.float64) * size + offset
            p = softmax(z)
            assert torch.allclose(p, z.softmax(-1), atol=1e-4)
            assert torch.allclose(p.sum(-1), torch.ones(7).double(), atol=1e-4)


def test_a_single_key_gets_everything(spiking) -> None:
    p = spiking(SpikingSoftmax())(torch.tensor([[3.0], [-7.0]], dtype=torch.float64))
    assert torch.allclose(p, torch.ones(2, 1).double(), atol=1e-4)


def test_neurons_without_parameters_are_a_clear_error() -> None:
    softmax = SpikingSoftmax()
    softmax.exp.name = "layers.0.softmax.exp"
    z = increments(2, 3)
    with pytest.raises(CalibrationError, match=r"softmax\.exp.*calibrate"):
        run(softmax, z, None)
    with las.simulate(softmax), pytest.raises(CalibrationError, match=r"softmax\.exp.*calibrate"):
        run(softmax, z, None)
