"""Spike-equivalent transformer components (Sections 4.2 and 4.3)."""
