"""Keeps what the checks of all architectures found, for the list of families."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tiny_models.results import Results, update

_FILE = "test_any_architecture.py"
_FOUND: Results = {}


def pytest_runtest_logreport(report: Any) -> None:
    file, _, test = report.nodeid.rpartition("::")
    if not file.endswith(_FILE) or not test.endswith("]"):
        return
    check, _, name = test[:-1].partition("[")
    checks = _FOUND.setdefault(name, {})
    checks[check] = checks.get(check, True) and report.passed
    if report.when == "call":
        checks |= dict(report.user_properties)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _FOUND and not hasattr(session.config, "workerinput"):  # of pytest-xdist
        update(_FOUND)
        _FOUND.clear()
