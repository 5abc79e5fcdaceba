"""From a pretrained model to a spiking one, and to disk and back."""
