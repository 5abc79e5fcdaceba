"""Heads of RoBERTa, DistilBERT and T5, which apply functions in their own forward."""

from __future__ import annotations

from typing import Any

from torch import nn

from las.components.activation import SpikingActivation, SpikingReLU
from las.components.linear import spiking_linear
from las.components.potential import SpikingLinearInto
from las.conversion.registry import converts


@converts("RobertaLMHead")
def _roberta_language_model(head: Any) -> nn.Module:
    head.dense = SpikingLinearInto(spiking_linear(head.dense), SpikingActivation("gelu"))
    return head


@converts(
    "RobertaClassificationHead",
    "T5ClassificationHead",
    "MT5ClassificationHead",
    "UMT5ClassificationHead",
)
def _classification(head: Any) -> nn.Module:
    head.dense = SpikingLinearInto(spiking_linear(head.dense), SpikingActivation("tanh"))
    return head


@converts("DistilBertForSequenceClassification", "DistilBertForMultipleChoice")
def _distilbert_classification(model: Any) -> nn.Module:
    layer = spiking_linear(model.pre_classifier)
    model.pre_classifier = SpikingLinearInto(layer, SpikingReLU())
    return model
