"""Tests of the library and the pipeline.

Without a GPU, Triton's kernels run in its interpreter. It is asked for before anything imports it.
"""

import os
from pathlib import Path

if not list(Path("/dev").glob("nvidia[0-9]*")):
    os.environ.setdefault("TRITON_INTERPRET", "1")
