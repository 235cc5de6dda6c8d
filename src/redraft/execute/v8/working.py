"""What every worker of an engine's pool is: a process that answers lines until its input ends.

In: what it answers with. Out: nothing, since the process ends here. Its standard output holds answers alone.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, NoReturn

from redraft.execute.v8.sealing import Seal

MAX_MESSAGE = 500
"""Characters of a message that is told."""


def _prefer_to_die() -> None:
    """Be the first to go when the machine's memory runs out."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - a kernel file
        file.write("1000")


def work(serve: Callable[[BinaryIO, BinaryIO, Seal], None]) -> NoReturn:
    """Serve, then leave at once.

    Args:
        serve: Answers every line of the first stream in the second until it ends, and settles the seal.
    """
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
        serve(source, out, seal)
        code = 0
    except BaseException as error:  # noqa: BLE001 - told to the pool; a traceback could hold a program
        sys.stderr.write(f"{type(error).__name__}: {error}\n"[:MAX_MESSAGE])
        sys.stderr.flush()
    os._exit(code)
