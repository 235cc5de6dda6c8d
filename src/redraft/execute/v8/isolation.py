"""What stands between a program and this system, in words, as a worker finds it.

In: what a worker says of itself when it is ready. Out: a `Wall` for each of `WALLS`. `sealing` builds them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from redraft.errors import RedraftError
from redraft.execute.engine import Wall
from redraft.execute.v8.pool import environment

WALLS = {
    "process": "every program has a process of its own, which is watched and ends with it",
    "privileges": "no process can gain a privilege (no_new_privs)",
    "user": "no process is root's: one started as root becomes another user",
    "user namespace": "the system's users are unknown to it",
    "network": "its network has no device",
    "capabilities": "no capability is left",
    "limits": "no core dump and no byte in a file; a program's process opens and starts nothing",
    "descriptors": "a program's process holds no descriptor but its answer's",
    "landlock": "no file or port can be opened, changed or removed (Landlock)",
    "seccomp": "system calls beyond computing and answering fail, those for new executable memory too (seccomp)",
    "orphans": "no process outlives the one that watches it",
}
"""Name -> what stands, if the system gives it."""
START_SECONDS = 60.0


def walls(problems: Mapping[str, str]) -> list[Wall]:
    """Every wall; `problems` are a worker's: name -> why it doesn't stand."""
    return [Wall(name, words, problems.get(name, "")) for name, words in WALLS.items()]


def found_by(command: Sequence[str], setup: Mapping[str, Any]) -> list[Wall]:
    """Start a worker, have it wall in a process, and take its word.

    Args:
        command: Starts a worker.
        setup: What workers are told first.

    Raises:
        RedraftError: It doesn't start.
    """
    told = json.dumps(setup).encode("ascii") + b"\n"
    try:
        ran = subprocess.run(
            command, input=told, capture_output=True, cwd="/", env=environment(), timeout=START_SECONDS, check=False
        )
        return walls(json.loads(ran.stdout)["problems"])
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        raise RedraftError(
            "the process that runs programs doesn't start.",
            remedy="Check that mini-racer is installed for this platform, and that memory is left.",
        ) from error
