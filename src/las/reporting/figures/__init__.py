"""Figures: each file holds what one shows, how it is drawn, and what is said of it."""
