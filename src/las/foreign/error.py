"""What goes wrong when somebody's spikes are counted."""

from __future__ import annotations

from las.errors import LasError


class AccountError(LasError):
    """The spikes of a model cannot be counted as was asked, or are none."""
