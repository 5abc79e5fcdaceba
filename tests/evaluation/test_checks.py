from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from las.errors import UnsupportedModelError
from las.evaluation.checks import refuse_dense_checkpoint
from tests.tiny_models.plain import tiny_llama


@pytest.mark.parametrize("as_object", [False, True])
def test_a_spiking_checkpoint_loaded_dense_is_refused(
    tokenizer: PreTrainedTokenizerFast, as_object: bool
) -> None:
    model = tiny_llama(tokenizer)
    refuse_dense_checkpoint(model)

    class Quantization:
        quant_method = "las"

    model.config.quantization_config = Quantization() if as_object else {"quant_method": "las"}
    with pytest.raises(UnsupportedModelError, match="import las"):
        refuse_dense_checkpoint(model)


def test_another_quantisation_is_not_ours_to_judge(tokenizer: PreTrainedTokenizerFast) -> None:
    model = tiny_llama(tokenizer)
    model.config.quantization_config = {"quant_method": "gptq"}
    refuse_dense_checkpoint(model)
