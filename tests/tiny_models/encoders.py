"""Tiny encoders that read text."""

from __future__ import annotations

from typing import Any

from tests.tiny_models.batches import texts
from tests.tiny_models.language import SIZES, WINDOW
from tests.tiny_models.tiny_model import HIDDEN, PAD, SPREAD, VOCABULARY, TinyModel, index, jitter

_DISTILBERT: dict[str, Any] = dict(
    vocab_size=VOCABULARY,
    dim=HIDDEN,
    hidden_dim=48,
    n_layers=2,
    n_heads=4,
    max_position_embeddings=64,
    initializer_range=SPREAD,
    pad_token_id=PAD,
)
_ELECTRA = SIZES | dict(embedding_size=16)
_DISENTANGLED = SIZES | dict(
    relative_attention=True,
    pos_att_type=["c2p", "p2c"],
    max_relative_positions=8,
    position_biased_input=False,
)
_DEBERTA_V3 = _DISENTANGLED | dict(
    position_buckets=8, share_att_key=True, norm_rel_ebd="layer_norm"
)
_MODERN = SIZES | dict(
    local_attention=WINDOW,
    global_attn_every_n_layers=2,
    cls_token_id=1,
    sep_token_id=2,
    layer_types=["sliding_attention", "full_attention"],
)
_STATES = ("last_hidden_state",)
_SPAN = ("start_logits", "end_logits")


def _known(name: str, family: str, kind: str, options: Any) -> TinyModel:
    return TinyModel(name, family, kind, options, texts, weights=jitter)


def _reader(
    name: str, family: str, kind: str, options: Any = SIZES, outputs: Any = ("logits",)
) -> TinyModel:
    return TinyModel(name, family, kind, options, texts, outputs)


_THREE = SIZES | dict(num_labels=3)

ENCODERS = index(
    _known("bert-mlm", "BERT", "BertForMaskedLM", SIZES),
    _known("bert-classification", "BERT", "BertForSequenceClassification", _THREE),
    _known("bert-regression", "BERT", "BertForSequenceClassification", SIZES | dict(num_labels=1)),
    _known("roberta-mlm", "RoBERTa", "RobertaForMaskedLM", SIZES),
    _known("roberta-classification", "RoBERTa", "RobertaForSequenceClassification", _THREE),
    _known("distilbert-mlm", "DistilBERT", "DistilBertForMaskedLM", _DISTILBERT),
    _known(
        "distilbert-classification",
        "DistilBERT",
        "DistilBertForSequenceClassification",
        _DISTILBERT | dict(num_labels=3),
    ),
    _reader("bert-model", "BERT", "BertModel", outputs=("last_hidden_state", "pooler_output")),
    _reader("bert-questions", "BERT", "BertForQuestionAnswering", outputs=_SPAN),
    _reader("bert-tokens", "BERT", "BertForTokenClassification", _THREE),
    _reader(
        "distilbert-questions", "DistilBERT", "DistilBertForQuestionAnswering", _DISTILBERT, _SPAN
    ),
    _reader(
        "albert-mlm",
        "ALBERT",
        "AlbertForMaskedLM",
        SIZES | dict(embedding_size=16, num_hidden_groups=1),
    ),
    _reader(
        "albert-classification",
        "ALBERT",
        "AlbertForSequenceClassification",
        _THREE | dict(embedding_size=16, num_hidden_groups=2, inner_group_num=1),
    ),
    _reader("camembert-mlm", "CamemBERT", "CamembertForMaskedLM"),
    _reader(
        "convbert-mlm",
        "ConvBERT",
        "ConvBertForMaskedLM",
        SIZES | dict(embedding_size=HIDDEN, conv_kernel_size=3),
    ),
    _reader(
        "deberta-mlm",
        "DeBERTa",
        "DebertaForMaskedLM",
        _DISENTANGLED | dict(legacy=False),
    ),
    _reader(
        "deberta-classification",
        "DeBERTa",
        "DebertaForSequenceClassification",
        _DISENTANGLED | dict(num_labels=3, talking_head=False),
    ),
    _reader(
        "deberta-v2-mlm", "DeBERTa v2, v3", "DebertaV2ForMaskedLM", _DEBERTA_V3 | dict(legacy=False)
    ),
    _reader(
        "deberta-v2-classification",
        "DeBERTa v2, v3",
        "DebertaV2ForSequenceClassification",
        _DEBERTA_V3 | dict(num_labels=3),
    ),
    _reader("electra-mlm", "ELECTRA", "ElectraForMaskedLM", _ELECTRA),
    _reader("electra-discriminator", "ELECTRA", "ElectraForPreTraining", _ELECTRA),
    _reader(
        "electra-classification",
        "ELECTRA",
        "ElectraForSequenceClassification",
        _ELECTRA | dict(num_labels=3),
    ),
    _reader("ernie-mlm", "ERNIE", "ErnieForMaskedLM"),
    _reader("modernbert-mlm", "ModernBERT", "ModernBertForMaskedLM", _MODERN),
    _reader(
        "modernbert-classification",
        "ModernBERT",
        "ModernBertForSequenceClassification",
        _MODERN | dict(num_labels=3, classifier_pooling="mean"),
    ),
    _reader("mpnet-mlm", "MPNet", "MPNetForMaskedLM"),
    _reader(
        "mpnet-model",
        "MPNet",
        "MPNetModel",
        outputs=("last_hidden_state", "pooler_output"),
    ),
    _reader("nomic-bert", "Nomic BERT", "NomicBertModel", SIZES, _STATES),
    _reader("roformer-mlm", "RoFormer", "RoFormerForMaskedLM", SIZES | dict(embedding_size=16)),
    _reader(
        "xlm-mlm",
        "XLM",
        "XLMWithLMHeadModel",
        dict(
            vocab_size=VOCABULARY,
            emb_dim=HIDDEN,
            n_layers=2,
            n_heads=4,
            embed_init_std=SPREAD,
            init_std=SPREAD,
            pad_index=PAD,
        ),
    ),
    _reader("eurobert-mlm", "EuroBERT", "EuroBertForMaskedLM", SIZES | dict(num_key_value_heads=2)),
    _reader("xlm-roberta-mlm", "XLM-RoBERTa", "XLMRobertaForMaskedLM"),
    _reader("xlm-roberta-tokens", "XLM-RoBERTa", "XLMRobertaForTokenClassification", _THREE),
    _reader("xlm-roberta-xl-mlm", "XLM-RoBERTa-XL", "XLMRobertaXLForMaskedLM"),
)
