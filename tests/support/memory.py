"""How much memory a command takes at its peak, start-up included."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

SCRIPT = (
    "import sys; from redraft.cli import main\n"
    "try: main(sys.argv[1:])\n"  # VmHWM begins anew with the program; ru_maxrss would be the parent's if larger
    "finally: print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
)


def peak_memory(command: Sequence[object]) -> tuple[float, str]:
    """Megabytes a `redraft` command takes, and what it says on standard error."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, *map(str, command)], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return int(done.stdout.split()[-1]) / 1000, done.stderr
