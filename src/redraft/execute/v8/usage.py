"""What a process has used, processor time and resident memory, and what a program may use.

In: a process id. Out: numbers; zeros for a process that is gone. Read from /proc where there is one, else asked of
`ps`, which is slower.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc/self/stat").exists()


@dataclass(frozen=True, kw_only=True)
class RunLimits:
    """What one program may use."""

    cpu_seconds: float = 5.0
    wall_seconds: float = 45.0
    """By the clock, for a machine that is too busy."""
    memory_mb: float = 400.0
    """Resident."""
    heap_mb: float = 256.0
    """What V8 may hold; it looks after each collection."""
    reply_bytes: int = 16 << 20
    """Length of what the runtime says."""


class Usage(NamedTuple):
    """What a process has used."""

    cpu_seconds: float
    """User and system time, all threads."""
    resident_mb: float
    """Physical memory it holds, in MB (10^6 bytes)."""


def usage_of(pid: int) -> Usage:
    """What process `pid` has used."""
    return _from_proc(pid) if _PROC else _from_ps(pid)


def _from_proc(pid: int) -> Usage:
    with suppress(OSError, ValueError, IndexError):
        # The name in parentheses may hold anything; fields are counted after it.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        ticks, pages = os.sysconf("SC_CLK_TCK"), int(fields[21])
        return Usage((int(fields[11]) + int(fields[12])) / ticks, pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return Usage(0.0, 0.0)


def _from_ps(pid: int) -> Usage:
    with suppress(OSError, ValueError, IndexError):
        said = subprocess.run(["ps", "-o", "time=,rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
        clock, kilobytes = said.stdout.split()
        days, _, rest = clock.rpartition("-")
        seconds = float(days or 0) * 86_400
        for power, part in enumerate(reversed(rest.split(":"))):
            seconds += float(part) * 60**power
        return Usage(seconds, int(kilobytes) * 1024 / 1e6)
    return Usage(0.0, 0.0)
