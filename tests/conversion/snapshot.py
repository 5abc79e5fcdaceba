"""What a conversion that fails has to leave as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import las
from las.components.attention import NAME
from las.conversion.prepare import is_spiking
from las.errors import AdapterError
from tests.tiny_models import plain

Snapshot = tuple[
    list[tuple[str, nn.Module]],
    list[tuple[str, nn.Parameter]],
    Tensor,
    str,
    list[bool],
    dict[str, Any],
]


def snapshot(model: Any) -> Snapshot:
    (batch,) = plain.batches(1)
    if model.config.is_encoder_decoder:
        batch["decoder_input_ids"] = batch["input_ids"][:, :9]
    with torch.no_grad():
        output = model(**batch)[0]
    return (
        list(model.named_modules()),
        list(model.named_parameters()),
        output,
        model.config._attn_implementation,
        [module.training for module in model.modules()],
        model.config.to_dict(),
    )


def assert_as_before(model: Any, before: Snapshot) -> None:
    modules, parameters, output, attention, training, config = snapshot(model)
    assert [name for name, _ in modules] == [name for name, _ in before[0]]
    assert all(now is then for (_, now), (_, then) in zip(modules, before[0], strict=True))
    assert all(now is then for (_, now), (_, then) in zip(parameters, before[1], strict=True))
    assert torch.equal(output, before[2])
    assert attention == before[3] != NAME
    assert training == before[4]
    assert config == before[5]
    assert not is_spiking(model)
    assert getattr(model.config, "quantization_config", None) is None
    with pytest.raises(AdapterError, match="no converted model"):
        las.save(model, "nowhere")
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
