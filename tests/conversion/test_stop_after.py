"""Reading a model off after t of its T time steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import las
from las.components import attention, feed_forward, norm
from las.components.linear import SpikingLinear
from las.conversion.simulate import time_steps
from las.errors import LasError
from las.neurons import fused
from las.neurons.tally import SpikeTally

STEPS = 8


@pytest.fixture(params=["llama", "bert"])
def spiking(request, make_batches) -> nn.Module:
    model = request.getfixturevalue(request.param)
    return las.convert(model, make_batches(), las.SpikeConfig(time_steps=STEPS)).double()


@pytest.fixture
def batch(make_batches) -> dict[str, torch.Tensor]:
    return make_batches(count=1, rows=2, length=10, padding=3, seed=5)[0]


def run(model: nn.Module, batch) -> tuple[torch.Tensor, SpikeTally]:
    with torch.no_grad(), las.count_spikes(model) as tally:
        return model(**batch)[0], tally


def spikes(tally: SpikeTally) -> dict[str, int]:
    return {name: site.spikes for name, site in tally.sites.items()}


def test_simulator_and_fused_path_agree_after_every_step(spiking, batch) -> None:
    for t in range(1, STEPS + 1):
        with las.stop_after(spiking, t):
            output, tally = run(spiking, batch)
            with las.simulate(spiking):
                simulated, simulated_tally = run(spiking, batch)
        largest = output.abs().max().item()
        assert torch.allclose(output, simulated, rtol=0, atol=1e-11 * largest)
        assert spikes(tally) == spikes(simulated_tally)


def test_where_no_kernel_runs_it_is_the_same(spiking, batch, monkeypatch) -> None:
    with las.stop_after(spiking, 5):
        output, tally = run(spiking, batch)
        for module in (attention, feed_forward, norm, fused):
            monkeypatch.setattr(module, "has_kernels", lambda x: False)
        composed, composed_tally = run(spiking, batch)
    assert torch.allclose(output, composed, rtol=0, atol=1e-11 * output.abs().max().item())
    assert tally == composed_tally


def test_after_the_last_step_it_is_the_whole_model(spiking, batch) -> None:
    output, tally = run(spiking, batch)
    with las.stop_after(spiking, STEPS):
        stopped, stopped_tally = run(spiking, batch)
    assert torch.equal(stopped, output)
    assert stopped_tally == tally


def test_what_is_missing_shrinks_with_every_few_steps(spiking, batch) -> None:
    output, _ = run(spiking, batch)
    errors, fired = [], []
    for t in (2, 4, 6, 8):
        with las.stop_after(spiking, t):
            stopped, tally = run(spiking, batch)
        errors.append(float((stopped - output).norm() / output.norm()))
        fired.append(tally.spikes)
    assert errors[0] > errors[1] > errors[2] > errors[3] == 0
    assert fired == sorted(set(fired))


def test_no_neuron_fires_more_often_than_it_may(spiking, batch) -> None:
    with las.stop_after(spiking, 3):
        _, tally = run(spiking, batch)
    for site in tally.sites.values():
        assert site.time_steps == 3
        assert site.firing_rate <= 1


def test_the_block_ends_where_it_ends(spiking, batch) -> None:
    output, _ = run(spiking, batch)
    with las.stop_after(spiking, 6):
        six, _ = run(spiking, batch)
        with las.stop_after(spiking, 2):
            run(spiking, batch)
        assert torch.equal(run(spiking, batch)[0], six)
    assert torch.equal(run(spiking, batch)[0], output)


def test_spikes_shared_by_several_readers_are_not_those_of_another_stop(spiking) -> None:
    """Query, key and value read one tensor; an interrupted pass leaves two readers waiting."""
    linears = [module for module in spiking.modules() if isinstance(module, SpikingLinear)]
    site = next(linear.site for linear in linears if linear.site.fan_out == 3)
    readers = [linear for linear in linears if linear.site is site]
    x = torch.randn(1, 4, 32, dtype=torch.float64)
    with torch.no_grad():
        expected = readers[1](x.clone())
        with las.stop_after(spiking, 2):
            readers[0](x)
        assert torch.equal(readers[1](x), expected)


def test_the_time_steps_of_a_model(spiking) -> None:
    assert time_steps(spiking) == STEPS


@pytest.mark.parametrize("t", [0, -1, STEPS + 1])
def test_a_step_that_there_is_not(spiking, t: int) -> None:
    wanted = f"time step .* 1 to {STEPS}, got {t}"
    with pytest.raises(ValueError, match=wanted), las.stop_after(spiking, t):
        pass


def test_a_dense_model_has_no_steps(llama) -> None:
    with pytest.raises(LasError, match=r"las\.convert first"), las.stop_after(llama, 1):
        pass
