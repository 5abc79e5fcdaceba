"""Kernels of the fused path on GPUs, in Triton: the same decisions as `kernels` takes on CPUs.

Tables are arguments: one build serves all sites of a model. Neuron arithmetic is float32, and no
multiplication is fused with an addition, which would change decisions in the last bit. What is
counted is added up on the device.
"""

from las.neurons.gpu.attention import WIDEST, attend, fits
from las.neurons.gpu.coding import code_hg, code_oat
from las.neurons.gpu.gate import gate
from las.neurons.gpu.norm import normalise

__all__ = ["WIDEST", "attend", "code_hg", "code_oat", "fits", "gate", "normalise"]
