from __future__ import annotations

import pytest

from las.neurons import slower


@pytest.fixture
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has been told in this process of work that no kernel does."""
    monkeypatch.setattr(slower, "_said", set())
