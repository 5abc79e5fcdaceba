"""Time and memory of spiking models as ratios to their originals, measured in one run."""

import las  # noqa: F401  before torch, as in the pipeline and on the command line
