"""From counted operations to energy (Eq. 25, Appendix E)."""

from __future__ import annotations

from las.energy.cost_model import COST_MODELS, PAPER, CostModel
from las.energy.report import EnergyReport, EnergyRow
from las.neurons.tally import SpikeTally
from las.options import instance_of

COUNTED = "`with las.count_spikes(model) as spikes:` counts what runs inside of it"


def estimate(tally: SpikeTally, cost_model: CostModel = PAPER) -> EnergyReport:
    """Energy of the spiking model and of its ANN, per component and in total.

    E_snn / E_ann = SOPs E_AC / (FLOPs E_MAC)                                      (Eq. 25)

    SOPs are the accumulations that spikes caused; a spike of an HG neuron is one accumulation of
    its output weight d. FLOPs are the ANN's multiply-accumulates and those of its non-linear
    functions, at `cost_model.function_flops` each. The components count both in
    `tally.operations`; this function only adds and weighs. What a spiking model that others made
    multiplies itself costs E_MAC there, too; a converted model multiplies nothing.

    Args:
        tally: what `las.count_spikes` counted.
        cost_model: energy of each operation, in pJ.

    Raises:
        ValueError: the tally holds no operation, a function has no cost in `cost_model`, or an
            argument is of another kind.
    """
    instance_of("tally", tally, SpikeTally, COUNTED)
    instance_of("cost_model", cost_model, CostModel, f"las.energy.COST_MODELS has {[*COST_MODELS]}")
    if not tally.operations:
        raise ValueError(
            "The tally holds no operation. Run the converted model inside "
            "`with las.count_spikes(model) as spikes:` before estimating its energy."
        )
    rows = []
    for name, operation in tally.operations.items():
        nonlinear_flops = cost_model.nonlinear_flops(operation.nonlinear)
        rows.append(
            EnergyRow(
                name=name,
                kind=operation.kind,
                sops=operation.sops,
                macs=operation.macs,
                nonlinear_flops=nonlinear_flops,
                snn_pj=operation.sops * cost_model.ac_pj + operation.dense_macs * cost_model.mac_pj,
                ann_pj=(operation.macs + nonlinear_flops) * cost_model.mac_pj,
            )
        )
    return EnergyReport(cost_model=cost_model, tokens=tally.tokens, rows=tuple(rows))
