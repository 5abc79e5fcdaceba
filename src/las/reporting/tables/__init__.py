"""Tables of this project: what was lost, where spikes and energy go, how well functions fit."""
