"""Methods that share what a model was seen to read get the thresholds that each would find."""

from __future__ import annotations

import pytest
import torch

from las.baselines import METHODS, convert, observe
from las.baselines.site import Site
from las.baselines.thresholds import Magnitudes
from las.energy.counting import count_spikes
from las.errors import CalibrationError
from las.hosts.twin import twin


@pytest.mark.parametrize("name", METHODS)
def test_one_look_serves_every_method(name, bert, make_batches):
    batches, per = make_batches(rows=3, length=12), METHODS[name].per
    snns = [
        convert(twin(bert), observe(bert, batches, per), name, time_steps=2),
        convert(twin(bert), batches, name, time_steps=2),
    ]
    found = [
        {site.serves: site.threshold for site in snn.modules() if isinstance(site, Site)}
        for snn in snns
    ]
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][path], found[1][path]) for path in found[0])
    tallies = []
    for snn in snns:
        with count_spikes(snn) as spikes:
            snn(**batches[0])
        tallies.append(spikes.to_dict())
    assert tallies[0] == tallies[1]
    assert any(path.endswith(".scores") for path in tallies[0]["operations"])


def test_the_model_that_was_looked_at_stays_as_it_is(bert, make_batches):
    before = bert.config._attn_implementation
    observe(bert, make_batches())
    assert bert.config._attn_implementation == before
    assert not any(module._forward_pre_hooks for module in bert.modules())


def test_thresholds_of_another_kind_are_refused(bert, make_batches):
    seen = observe(bert, make_batches(), "tensor")
    with pytest.raises(ValueError, match="observe it with per='channel'"):
        convert(bert, seen, "qcfs")


def test_magnitudes_are_counted_in_their_octaves():
    seen = Magnitudes(by_channel=True)
    seen.add(torch.tensor([[0.0, -3.0], [1.0, 2.0**-30], [-1.5, 2.0**30]]), "x")
    sixteenths = seen.counts.view(2, 40, 16)  # of the octaves from 2^-20 on
    assert sixteenths[0, 20].nonzero().flatten().tolist() == [0, 8]
    assert sixteenths[1].nonzero().tolist() == [[0, 0], [21, 8], [39, 15]]
    assert seen.counts.sum(1).tolist() == [2, 3]
    assert seen.zeros.tolist() == [1, 0]
    assert seen.largest.tolist() == [1.5, 2.0**30]


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(CalibrationError, match="at the input of x"):
        Magnitudes(by_channel=False).add(torch.tensor([[1.0, value]]), "x")
