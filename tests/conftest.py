"""Fixtures for all tests."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from places import SHARED


@pytest.fixture(scope="session")
def shared() -> Path:
    """The supplied data; skips, loudly, where it is missing."""
    if not SHARED.exists():
        warnings.warn(f"SUPPLIED DATA MISSING: {SHARED}; set REDRAFT_SHARED. Its tests are skipped.", stacklevel=1)
        pytest.skip(f"supplied data missing at {SHARED}")
    return SHARED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not SHARED.exists():
        line = f"!!! SUPPLIED DATA MISSING at {SHARED}: tests marked `supplied` were skipped !!!"
        terminalreporter.write_line(line, red=True)
