"""The neurons of published conversions."""

from las.baselines.neurons.burst import Burst
from las.baselines.neurons.integrate_and_fire import IntegrateAndFire
from las.baselines.neurons.multi_threshold import MultiThreshold
from las.baselines.neurons.neuron import Neuron
from las.baselines.neurons.offset_spike import OffsetSpike
from las.baselines.neurons.phase import Phase
from las.baselines.neurons.residual_potential import ResidualPotential
from las.baselines.neurons.st_bif import STBIF

__all__ = [
    "STBIF",
    "Burst",
    "IntegrateAndFire",
    "MultiThreshold",
    "Neuron",
    "OffsetSpike",
    "Phase",
    "ResidualPotential",
]
