"""Fixtures for all tests."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from places import CASES, SHARED

# How long an example takes says nothing where other work shares the processors.
settings.register_profile("redraft", deadline=None)
settings.load_profile("redraft")


@pytest.fixture(scope="session", autouse=True)
def own_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keys that tests make stay out of the user's config folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The supplied data; skips, loudly, where it is missing."""
    if not SHARED.exists():
        warnings.warn(f"SUPPLIED DATA MISSING: {SHARED}; set REDRAFT_SHARED. Its tests are skipped.", stacklevel=1)
        pytest.skip(f"supplied data missing at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def cases() -> Path:
    """Small inputs with the traits of everyday exports, each with a README that says what is right."""
    if not CASES.exists():
        warnings.warn(f"EVERYDAY CASES MISSING: {CASES}; set REDRAFT_SHARED. Its tests are skipped.", stacklevel=1)
        pytest.skip(f"everyday cases missing at {CASES}")
    return CASES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not SHARED.exists():
        line = f"!!! SUPPLIED DATA MISSING at {SHARED}: tests marked `supplied` were skipped !!!"
        terminalreporter.write_line(line, red=True)
