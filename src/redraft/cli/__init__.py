"""The command line: thin commands, imported lazily, errors as one paragraph.

Exit codes: 0 done, 1 an error the message explains, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback

from cyclopts import App, CycloptsError, UnknownCommandError

import redraft
from redraft.errors import RedraftError, suggestion
from redraft.studies.registry import STUDIES, renamed
from redraft.terminal import Console, guarded
from redraft.visible import visible

_COMMANDS = {
    "ingest": ("redraft.cli.ingest:app", "turn logs into a dataset"),
    "export": ("redraft.cli.export:app", "write a dataset in a format that others read"),
    "validate": ("redraft.cli.validate:app", "check a data set against the rules of its format"),
    "simulate": ("redraft.cli.simulate:simulate", "write the logs of a simulated class, and the truth about it"),
    "split": ("redraft.cli.split:split", "divide a dataset into training and test splits"),
    "train": ("redraft.cli.models:train", "train a model with a vector per student"),
    "add-students": ("redraft.cli.models:add_students", "give a model vectors for students it hasn't met"),
    "neural-cache": ("redraft.cli.neural_cache:neural_cache", "keep what students wrote before, to be mixed in"),
    "sample": ("redraft.cli.models:sample", "draw traces from a model"),
    "score": ("redraft.cli.score:score", "say how well a model knows every trace, state by state"),
    "execute": ("redraft.cli.execute:execute", "say of every program whether it runs"),
    "draw": ("redraft.cli.draw:draw", "draw what a program draws, or a sheet of many"),
    "metrics": ("redraft.cli.metrics:metrics", "measure every trace of a dataset"),
    **{study.name: (study.command or f"redraft.cli.studies:{study.name}", study.does) for study in STUDIES},
    "suggest": ("redraft.cli.suggest:suggest", "suggest how a student may mend a failing program"),
    "report": ("redraft.cli.studies:report", "write a run's report, one HTML file"),
    "seeds": ("redraft.cli.studies:seeds", "say which findings of runs with different seeds are chance"),
    "demo": ("redraft.cli.runs:demo", "simulate a class and do all of the above, in five minutes"),
    "reproduce": ("redraft.cli.runs:reproduce", "study a dataset within a budget of minutes"),
}
"""Command -> where it is, imported only when it's called, and what it does in a few words."""

# The list stands here because asking the commands for their own help would import them all.
app = App(
    name="redraft",
    version=lambda: redraft.__version__,
    help_format="markdown",
    help="Model learners by the drafts they leave behind: logs in, traces, student models and statistics out.\n\n"
    + "\n".join(f"- **{name}**: {words}" for name, (_, words) in _COMMANDS.items())
    + "\n\nEach command explains itself with an example: `redraft COMMAND --help`.",
)
for _name, (_target, _) in _COMMANDS.items():
    app.command(_target, name=_name, show=False)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; never shows a traceback unless REDRAFT_TRACEBACK is set."""
    gc.set_threshold(20_000, 20, 20)  # loading libraries makes many objects and no garbage
    with guarded():
        _run(_renamed(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: list[str]) -> None:
    try:
        app(arguments, exit_on_error=False, print_error=False, console=Console())
    except CycloptsError as error:
        _fail(_usage(error), 2)
    except KeyboardInterrupt:
        _fail("interrupted. Start the same command again and it goes on where it was.", 130)
    except RedraftError as error:
        _fail(str(error), error.exit_code)
    except MemoryError:
        _fail("out of memory. Give the command a smaller --memory, or a machine with more.", 1)
    except OSError as error:
        _fail(_explain(error), 1)
    except SystemExit:
        raise
    # A bug, or a library's panic, which is no Exception. Its message may hold program text, so only its kind is shown.
    except BaseException as error:  # noqa: BLE001 - told without its message
        _fail(
            f"an error inside redraft ({type(error).__name__}). Nothing unfinished was published. "
            "Run again with REDRAFT_TRACEBACK=1 to see where, and report it.",
            1,
        )


def _renamed(arguments: list[str]) -> list[str]:
    """Today's name of a study's command for one of an earlier version, with a note."""
    new = renamed().get(arguments[0]) if arguments else None
    if new is None:
        return arguments
    print(f"redraft: `redraft {arguments[0]}` is now called `redraft {new}`.", file=sys.stderr)
    return [new, *arguments[1:]]


def _usage(error: CycloptsError) -> str:
    words: tuple[str, ...] = tuple(error.command_chain or ())
    unused = list(error.unused_tokens or [""])
    # Commands hidden from the library's help are left out of its suggestions.
    near = f" {suggestion(unused[0], _COMMANDS)}" if isinstance(error, UnknownCommandError) and not words else ""
    return f"{' '.join(str(error).split())}{near} See: {' '.join(('redraft', *words))} --help"


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
    print(f"redraft: error: {visible(message)}", file=sys.stderr)  # one paragraph, whatever names it holds
    sys.exit(code)
