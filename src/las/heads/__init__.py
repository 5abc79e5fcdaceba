"""Heads for the GLUE tasks of Tables 3 and 6, trained on whole training splits."""

from las.heads.train import train_head

__all__ = ["train_head"]
