"""Scores of a model and of its spike-equivalent, always in one run and on the same items."""

from __future__ import annotations

from las.evaluation.score import Score

__all__ = ["Score"]
