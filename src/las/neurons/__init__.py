"""Spiking neurons of LAS: parameters as frozen dataclasses, one pure step, its fused twin."""

from las.neurons.encoding import SpikeEncoding
from las.neurons.fs import FS
from las.neurons.fused import code_hg, code_oat
from las.neurons.hg import HG, Octaves
from las.neurons.mt import MT
from las.neurons.oat import OAT

__all__ = ["FS", "HG", "MT", "OAT", "Octaves", "SpikeEncoding", "code_hg", "code_oat"]
