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

    @property
    def known(self) -> bool:
        """Whether there is padding that they tell."""
        return self.keep is not None or self.decoded is not None

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
        """Which tokens of x are padding, of the shape of x without its channels.

        Arguments:
            site: what codes x.
            x: its input; `site.token_dim` counts tokens.

        Returns:
            None where there is no padding, or x is of other shape than the masks.
        """
        keep = self.of(site)
        if keep is None or x.dim() < 2:
            return None
        keep, shape = keep.to(x.device), x.shape[:-1]
        if x.dim() == 2:
            if len(x) == len(keep):  # a vector for each text, as poolers have them
                return ~keep.any(-1)
            return ~keep.flatten() if len(x) == keep.numel() else None
        axis = _token_axis(site.token_dim % x.dim(), x, keep)
        if shape[0] == 1 and shape[axis] == keep.numel():  # all tokens in one row
            keep = keep.view(1, -1)
        if site.token_dim < 0 and x.dim() == 3:  # heads may lie in the batch
            keep = keep.repeat_interleave(max(1, shape[0] // len(keep)), dim=0)
        if keep.shape != (shape[0], shape[axis]):
            return None
        places = [1] * len(shape)
        places[0], places[axis] = keep.shape
        return ~keep.view(places).expand(shape)


def _token_axis(axis: int, x: Tensor, keep: Tensor) -> int:
    """Where x counts tokens: layers and norms read (B, L, heads, D) as well as (B, heads, L, D)."""
    if axis != 1 or x.dim() != 4 or x.shape[2] != keep.shape[1]:
        return axis
    both = x.shape[1] == keep.shape[1]  # then memory tells: heads lie within a token
    return 1 if both and x.stride(1) >= x.stride(2) else 2


def token_masks(
    model: nn.Module, batch: Mapping[str, Any] | None = None, inside: str = ""
) -> TokenMasks:
    """Which tokens of a pass are padding; of batches of any form, for nothing is checked here.

    Arguments:
        model: a transformers model, or a part of one.
        batch: forward keyword arguments; None for masks without padding.
        inside: the path of a part in its model, with a dot behind it.
    """
    encoder, *decoder = stacks(model)
    images = tuple(f"{inside}{path}." if path else inside for path in vision_towers(model))
    masks = TokenMasks(images, f"{inside}{encoder}." if decoder else None)
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
    if not isinstance(mask, Tensor) or mask.is_meta:
        return None
    if mask.dim() == 3 and mask.shape == getattr(batch.get(read[0]), "shape", None):
        return _last({part: mask.flatten(0, 1)}, part, read)  # choices: each is a text
    if mask.dim() != 2:
        return None
    for value in (batch.get(name) for name in read):
        if isinstance(value, Tensor) and value.dim() > 1:
            mask = mask[:, max(mask.shape[1] - value.shape[1], 0) :]
    keep = mask.bool()
    return None if bool(keep.all()) else keep
