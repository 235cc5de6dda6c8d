"""What a test relies on being there."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def known(value: T | None) -> T:
    """The value, which must not be None: an estimate that a test reads is scored."""
    assert value is not None
    return value
