"""The command line: thin commands, imported lazily, errors as one paragraph.

Exit codes: 0 done, 1 an error the message explains, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback

from cyclopts import App

from redraft import __version__
from redraft.errors import RedraftError

app = App(
    name="redraft",
    version=__version__,
    help="Model learners by the drafts they leave behind: logs in, traces, student models and statistics out.",
)

for _name, _target, _help in (
    ("ingest", "redraft.cli.ingest:app", "Turn logs into a dataset."),
    ("simulate", "redraft.cli.simulate:simulate", None),
    ("describe", "redraft.cli.describe:describe", None),
    ("split", "redraft.cli.split:split", None),
    ("train", "redraft.cli.models:train", None),
    ("sample", "redraft.cli.models:sample", None),
    ("metrics", "redraft.cli.studies:metrics", None),
    ("evaluate", "redraft.cli.studies:evaluate", None),
    ("report", "redraft.cli.studies:report", None),
    ("demo", "redraft.cli.runs:demo", None),
    ("reproduce", "redraft.cli.runs:reproduce", None),
):
    app.command(_target, name=_name, **({"help": _help} if _help else {}))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; never shows a traceback unless REDRAFT_TRACEBACK is set."""
    try:
        app(arguments)
    except KeyboardInterrupt:
        _fail("interrupted. Start the same command again and it goes on where it was.", 130)
    except RedraftError as error:
        _fail(str(error), error.exit_code)
    except MemoryError:
        _fail("out of memory. Give the command a smaller --memory, or a machine with more.", 1)
    except OSError as error:
        _fail(_explain(error), 1)
    except Exception as error:  # noqa: BLE001  (a bug: its message may hold program text, so only its kind is shown)
        _fail(
            f"an error inside redraft ({type(error).__name__}). Nothing unfinished was published. "
            "Run again with REDRAFT_TRACEBACK=1 to see where, and report it.",
            1,
        )


def _explain(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    remedy = {
        errno.ENOSPC: "Free some space, then start the same command again; it goes on.",
        errno.EACCES: "Check the permissions.",
        errno.ENOENT: "Check the path.",
    }.get(error.errno or 0, "")
    return f"{place}{error.strerror or error}. {remedy}".strip()


def _fail(message: str, code: int) -> None:
    if os.environ.get("REDRAFT_TRACEBACK"):
        traceback.print_exc()
    print(f"redraft: error: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
