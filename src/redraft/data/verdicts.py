"""What is said of programs: the words, and the columns of verdict files.

In: nothing. Out: `VERDICTS`, `JUDGED`, `verdict_named` for the usual words of platforms, and the schemas of verdict
files. `data.platform` keeps what a platform said, `redraft.execute` what an engine says.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

VERDICTS = ("ok", "failed", "error", "timeout", "memory", "crash", "unscored")
"""What can be said of a program; `failed`: it ran, and did not do what was asked for."""
JUDGED = COMPILED, RAN, TESTED = "compiled", "ran", "tested"
"""What a platform's verdict rests on, the least first."""
FULL = 1 - 1e-9
"""A score from which on it is a full one; sums of floating-point shares fall short of 1."""
SYNTAX = "syntax"
"""The kind of an error that keeps a program from running at all."""
ERRORS = pa.list_(pa.struct([("kind", pa.string()), ("message", pa.string()), ("line", pa.int32())]))
"""What went wrong in a program."""
VERDICT_FILE = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("end_reached", pa.bool_(), nullable=False),
        pa.field("errors", ERRORS, nullable=False),
        pa.field("engine", pa.string(), nullable=False),
    ]
)
"""The columns of every verdict file."""
PLATFORM = "platform"
"""Who judged, in place of an engine."""
PLATFORM_FILE = f"verdicts-{PLATFORM}.parquet"
PLATFORM_SCHEMA = pa.schema(
    [*VERDICT_FILE, pa.field("title", pa.string(), nullable=False), pa.field("judged", pa.string(), nullable=False)]
)
_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("ok", "success", "successful", "succeeded", "pass", "passed", "correct", "accepted", "true", "1",
                     "warning"), "ok"),
    **dict.fromkeys(("failed", "fail", "failure", "testfailed", "incorrect", "wrong", "wronganswer", "rejected",
                     "false", "0"), "failed"),
    **dict.fromkeys(("error", "compileerror", "compilationerror", "syntaxerror", "runtimeerror", "exception"),
                    "error"),
    **dict.fromkeys(("timeout", "timelimit", "timelimitexceeded", "timedout"), "timeout"),
    **dict.fromkeys(("memory", "memorylimit", "memorylimitexceeded"), "memory"),
    **dict.fromkeys(("crash", "crashed"), "crash"),
    "unscored": "unscored",
}  # fmt: skip


def verdict_named(text: str) -> str | None:
    """The verdict that a platform's word means, whatever its case, spaces, hyphens and underscores; None: no such."""
    return _WORDS.get("".join(char for char in text.casefold() if char.isalnum()))
