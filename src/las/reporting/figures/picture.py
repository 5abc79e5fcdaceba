"""A figure of the report, drawn."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Picture:
    """A figure of the report.

    Attributes:
        path: the PNG.
        title: heading, also the alternative text.
        caption: what it shows.
    """

    path: Path
    title: str
    caption: str

    @property
    def data_uri(self) -> str:
        """The picture itself, as a data URI."""
        encoded = base64.b64encode(self.path.read_bytes()).decode("ascii")
        return f"data:image/png;base64,{encoded}"
