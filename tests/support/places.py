"""Where the project's folders and the supplied data are."""

from __future__ import annotations

import os
from pathlib import Path

SUPPORT = Path(__file__).parent
"""What tests share."""
ROOT = SUPPORT.parents[1]
"""The checkout."""
SHARED = Path(os.environ.get("REDRAFT_SHARED", ROOT.parent / "shared")) / "data"
"""Supplied data, read there by tests and benchmarks."""
CASES = SHARED.parent / "cases"
"""Small inputs as others send them, each kind in a folder with a README."""
