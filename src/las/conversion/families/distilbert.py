"""DistilBERT's models for classification, which apply ReLU in their own forward."""

from __future__ import annotations

from typing import Any

from torch import nn

from las.components.activation import SpikingReLU
from las.components.linear import spiking_linear
from las.components.potential import SpikingLinearInto
from las.conversion.registry import known


@known("DistilBertForSequenceClassification", "DistilBertForMultipleChoice")
def _classification(model: Any) -> nn.Module:
    layer = spiking_linear(model.pre_classifier)
    model.pre_classifier = SpikingLinearInto(layer, SpikingReLU())
    return model
