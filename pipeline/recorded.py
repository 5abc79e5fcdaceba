"""Where the spikes lie that the report shows."""

from __future__ import annotations

from pathlib import Path


def recorded_spikes(root: Path) -> Path:
    """The folder of spike events, a file for each model and neuron."""
    return root / "results" / "spikes"
