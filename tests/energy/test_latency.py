"""Stages of neurons in sequence, counted by hand."""

from __future__ import annotations

from las.energy.latency import Latency, latency
from las.neurons.tally import SiteCount, SpikeTally


def tally(*names: str, **steps: int) -> SpikeTally:
    return SpikeTally(sites={name: SiteCount("oat", steps.get(name, 16), 1, 1) for name in names})


NORM = ("square", "inverse_sqrt", "input", "output")
ATTENTION = ("query", "key", "value", "softmax.exp", "softmax.reciprocal", "probability")


def test_a_block_of_llama() -> None:
    """3 + 1 + (1 + 2 + 1) + 1, and 3 + 1 + 1 + 1."""
    names = [f"h.0.norm.{one}" for one in NORM]
    names += ["h.0.attn.q_proj.site"]
    names += [f"h.0.attn.spiking_attention.{one}" for one in ATTENTION]
    names += ["h.0.attn.o_proj.site"]
    names += [f"h.0.norm2.{one}" for one in NORM]
    names += ["h.0.mlp.gate_proj.site", "h.0.mlp.act_fn.site", "h.0.mlp.up_site"]
    names += ["h.0.mlp.down_proj.site"]
    assert latency(tally(*names)) == Latency(15, 15 * 16, 16, 16 + 14)


def test_experts_are_one_chain() -> None:
    names = [
        f"h.0.mlp.experts.{expert}.{one}.site" for expert in range(8) for one in ("w1", "act", "w2")
    ]
    assert latency(tally(*names)).stages == 3


def test_steps_may_differ_from_stage_to_stage() -> None:
    """The slower one of a stage counts: 8 + 16, and then 4."""
    found = latency(
        tally("a.site", "b.query", "b.key", "c.site", **{"a.site": 8, "b.query": 10, "c.site": 4})
    )
    assert found == Latency(3, 8 + 16 + 4, 16, 16 + 2)


def test_a_name_that_ends_alike_is_no_role() -> None:
    assert latency(tally("a.monkey", "a.query")).stages == 2


def test_nothing_has_no_latency() -> None:
    assert latency(SpikeTally()) == Latency(0, 0, 0, 0)
