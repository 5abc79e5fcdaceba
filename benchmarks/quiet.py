"""Silence for what is measured: its progress bars would mix with the suite's own."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what is written to stderr inside the block to oneself."""
    with redirect_stderr(io.StringIO()):
        yield
