"""Which tokens of a pass are padding, as the neurons of each part of a model see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor


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
        """Which tokens of x are padding, (B, L), or one for each row where x has two dimensions.

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
        return ~keep.to(x.device) if shape == keep.shape else None
