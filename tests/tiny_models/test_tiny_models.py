"""Every tiny model runs as it is, and is the same each time."""

from __future__ import annotations

import pytest
import torch

from tests.tiny_models import TINY_MODELS
from tests.tiny_models.tiny_model import CHANNEL, TinyModel, beside_massive, index


@pytest.fixture(params=TINY_MODELS)
def tiny(request: pytest.FixtureRequest) -> TinyModel:
    return TINY_MODELS[request.param]


def test_it_runs_and_is_the_same_each_time(tiny: TinyModel) -> None:
    first, second = tiny.build(), tiny.build()
    assert first.config.to_dict() == second.config.to_dict()
    for batch, again in zip(tiny.batches(2), tiny.batches(2), strict=True):
        outputs, others = tiny.read(first, batch), tiny.read(second, again)
        assert len(outputs) == len(tiny.outputs)
        for x, y in zip(outputs, others, strict=True):
            assert torch.isfinite(x).all()
            assert torch.equal(x, y)
            assert x.std() > 0


def test_its_massive_activation_dwarfs_its_neighbours(tiny: TinyModel) -> None:
    """Some module makes a tensor one channel of which is a hundred times its root mean square."""
    model, found = tiny.build(), 0.0

    def look(module: torch.nn.Module, args: object, output: object) -> None:
        nonlocal found
        if isinstance(output, torch.Tensor) and output.is_floating_point() and output.dim() > 1:
            rows = output.detach().flatten(0, -2).abs()
            if output.dim() == 4:  # a convolution's channels
                rows = output.detach().movedim(1, -1).flatten(0, -2).abs()
            if rows.shape[-1] > CHANNEL:
                peak = rows[:, CHANNEL].max()
                found = max(found, float(peak / rows.median()))

    for module in model.modules():
        module.register_forward_hook(look)
    tiny.read(model, tiny.batches(1)[0])
    assert found > 100


def test_outputs_beside_the_massive_channel_or_token() -> None:
    hidden, logits = torch.zeros(2, 32), torch.zeros(2, 64)
    hidden[:, 7] = logits[:, 1] = 1
    assert beside_massive(hidden).shape == (2, 31)
    assert beside_massive(logits).shape == (2, 63)
    assert beside_massive(hidden).sum() == beside_massive(logits).sum() == 0
    assert beside_massive(torch.ones(2, 3)).sum() == 6
    assert beside_massive(torch.ones(32)).sum() == 32


def test_two_models_of_one_name_are_an_error() -> None:
    one = TINY_MODELS["llama"]
    with pytest.raises(ValueError, match=r"named twice.*llama"):
        index(one, one)
