"""Time and memory of spiking models as ratios to their originals, measured in one run."""
