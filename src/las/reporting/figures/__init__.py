"""Figures: each file holds the data of one figure, its drawing, and its caption."""
