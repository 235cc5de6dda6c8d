"""redraft: model learners by the drafts they leave behind."""

from __future__ import annotations

__version__ = "0.1.0"
