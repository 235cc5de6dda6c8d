"""What every worker of an engine's pool is: a process that answers lines until its input ends.

In: how it prepares itself; on standard input, a line of JSON with what it is told first, then a line per task. Out, on
standard output: a line that says it is ready, then a line per task, and nothing else. The process ends here.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, NoReturn

from redraft.execute.v8.sealing import Seal

MAX_MESSAGE = 500
"""Characters of a message that is told."""


def _prefer_to_die() -> None:
    """Be the first to go when the machine's memory runs out."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - a kernel file
        file.write("1000")


Answer = Callable[[dict[str, Any]], dict[str, Any]]
"""A task -> what became of its program."""
Prepare = Callable[[dict[str, Any], Seal], Answer]
"""What a worker is told first, and its seal, which is settled and told all that is lacking -> what it answers with."""


def work(prepare: Prepare) -> NoReturn:
    """Prepare, answer every line until the input ends, then leave at once."""
    seal = Seal()
    seal.begin()
    _prefer_to_die()
    # Newer Pythons warn of forking beside threads; the copies need none of them.
    warnings.simplefilter("ignore", DeprecationWarning)
    # Nothing else that writes to standard output may spoil the answers.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    source = os.fdopen(0, "rb")
    code = 1
    try:
        _serve(prepare, source, out, seal)
        code = 0
    except BaseException as error:  # noqa: BLE001 - told to the pool; a traceback could hold a program
        sys.stderr.write(f"{type(error).__name__}: {error}\n"[:MAX_MESSAGE])
        sys.stderr.flush()
    os._exit(code)


def _serve(prepare: Prepare, source: BinaryIO, out: BinaryIO, seal: Seal) -> None:
    setup = json.loads(source.readline())
    answer = prepare(setup, seal)
    if setup["strict"] and seal.problems:
        raise OSError(f"isolation lacks {', '.join(seal.problems)}")
    _write(out, {"ready": True, "problems": seal.problems})
    while line := source.readline():
        _write(out, answer(json.loads(line)))


def _write(out: BinaryIO, told: dict[str, Any]) -> None:
    out.write(json.dumps(told).encode("ascii") + b"\n")
    out.flush()
