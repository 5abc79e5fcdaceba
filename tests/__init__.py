"""Tests of the library and the pipeline.

Without a GPU that PyTorch can use, Triton's kernels run in its interpreter. It is asked for before
anything imports it.
"""

import os

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
"""Where tests of what is made for GPUs run."""

if DEVICE == "cpu":
    os.environ.setdefault("TRITON_INTERPRET", "1")
