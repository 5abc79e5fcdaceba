"""Which tokens of a pass are padding, as the neurons of each part of a model see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from las.hosts.stacks import stacks
from las.hosts.towers import vision_towers

IGNORED = -100
"""The label of a token that no loss is taken of."""


@dataclass(frozen=True)
class TokenMasks:
    """The masks of one pass.

    Attributes:
        images: paths of vision towers, each with a dot behind it, which know no padding.
        encoder: the path of the encoder, likewise, where there is a decoder beside it.
        keep: which tokens are no padding, bool (B, L), of the encoder where there are both; None
            for all.
        decoded: the same of the decoder.
    """

    images: tuple[str, ...] = ()
    encoder: str | None = None
    keep: Tensor | None = None
    decoded: Tensor | None = None

    def sees_images(self, site: Any) -> bool:
        """Whether a site is a part of a vision tower."""
        path: str = site.name
        return path.startswith(self.images)

    def of(self, site: Any) -> Tensor | None:
        """Which tokens that a site codes are no padding; None for all. Heads read the decoder."""
        if self.sees_images(site):
            return None
        of_encoder = self.encoder is None or getattr(site, "of_encoder", False)
        return self.keep if of_encoder or site.name.startswith(self.encoder) else self.decoded

    def padding_of(self, site: Any, x: Tensor) -> Tensor | None:
        """Which tokens of x are padding: (B, L), or of the shape of x without its channels.

        Arguments:
            site: what codes x.
            x: its input; `site.token_dim` counts tokens.

        Returns:
            None where there is no padding, or x is of other shape than the masks.
        """
        keep = self.of(site)
        if keep is None or x.dim() < 2:
            return None
        if x.dim() == 2 and len(x) == len(keep):  # a vector for each text, as poolers have them
            keep, shape = keep.any(-1), x.shape[:1]
        elif x.dim() == 2:  # all tokens in one row, as OPT has them
            keep, shape = keep.flatten(), x.shape[:1]
        else:
            shape = x.movedim(site.token_dim, 1).shape[:2]
            if shape != keep.shape and _long(x.shape[:-1]) == _long(keep.shape):
                shape = x.shape[:-1]  # a single head between texts and tokens
                keep = keep.view(shape)
        return ~keep.to(x.device) if shape == keep.shape else None


def _long(shape: Sequence[int]) -> list[int]:
    """A shape without its dimensions of one."""
    return [size for size in shape if size != 1]


def token_masks(model: nn.Module, batch: Mapping[str, Any] | None = None) -> TokenMasks:
    """Which tokens of a pass are padding; of batches of any form, for nothing is checked here.

    Arguments:
        model: a transformers model, or a stack of one.
        batch: forward keyword arguments; None for masks without padding.
    """
    encoder, *decoder = stacks(model)
    images = tuple(f"{path}." if path else "" for path in vision_towers(model))
    masks = TokenMasks(images, f"{encoder}." if decoder else None)
    if batch is None:
        return masks
    keep = decoded = _last(batch, "attention_mask", ("input_ids", "inputs_embeds"))
    written = ("decoder_input_ids", "decoder_inputs_embeds")
    if batch.get("decoder_attention_mask") is not None:
        decoded = _last(batch, "decoder_attention_mask", written)
    elif any(batch.get(part) is not None for part in written):
        decoded = None
    elif isinstance(labels := batch.get("labels"), Tensor) and labels.dim() == 2:
        decoded = labels != IGNORED
    return replace(masks, keep=keep, decoded=decoded)


def _last(batch: Mapping[str, Any], part: str, read: Sequence[str]) -> Tensor | None:
    """A mask of tokens without those before, which a cache keeps; None where nothing is hidden."""
    mask = batch.get(part)
    if not isinstance(mask, Tensor) or mask.dim() != 2 or mask.is_meta:
        return None
    for value in (batch.get(name) for name in read):
        if isinstance(value, Tensor) and value.dim() > 1:
            mask = mask[:, max(mask.shape[1] - value.shape[1], 0) :]
    keep = mask.bool()
    return None if bool(keep.all()) else keep
