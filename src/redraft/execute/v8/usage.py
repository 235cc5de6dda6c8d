"""What a process has used: processor time and resident memory.

In: a process id. Out: numbers; zeros for a process that is gone. Read from /proc where there is one, else asked of
`ps`, which is slower.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc/self/stat").exists()
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


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
        return Usage((int(fields[11]) + int(fields[12])) / _TICK, int(fields[21]) * _PAGE / 1e6)
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
