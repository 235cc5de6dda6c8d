"""The engines: the only list of what can run programs.

In: nothing. Out: `ENGINES`. Commands, settings, verdict files and docs read it. An engine is a folder of its own beside
this file and an entry here; its module is imported when the engine is asked for.

The order says whose verdict counts where several engines judged the same program: that of the first which told whether
it runs. First stands the engine nearest to what students use.
"""

from __future__ import annotations

from dataclasses import dataclass

from redraft.data.languages import COFFEESCRIPT, JAVASCRIPT, PYTHON, labels


@dataclass(frozen=True, kw_only=True)
class EngineEntry:
    """What is known of an engine without importing it."""

    factory: str
    """`module:attribute` of what makes it (`redraft.execute.engine.EngineFactory`)."""
    languages: tuple[str, ...]
    """Those that it judges. A program whose language isn't recorded is tried in each, in this order."""
    summary: str
    """For help: what it runs programs in."""
    isolation: str | None = None
    """`module:attribute` of what finds the walls around its programs; None: it can't tell."""
    needs: str | None = None
    """What must be there beyond the installation; None: nothing."""
    checks: bool = False
    """Whether it can run a title's checks against a program (`--tests`)."""


ENGINES: dict[str, EngineEntry] = {
    "chromium": EngineEntry(
        factory="redraft.execute.chromium.engine:Chromium",
        languages=(COFFEESCRIPT, JAVASCRIPT),
        summary="a page of a real browser for each, slower",
        needs="redraft[chromium] installed, a Chromium and --script",
    ),
    "v8": EngineEntry(
        factory="redraft.execute.v8.engine:V8",
        isolation="redraft.execute.v8.engine:V8.isolation",
        languages=(COFFEESCRIPT, JAVASCRIPT),
        summary="embedded, headless, in virtual time",
    ),
    "python": EngineEntry(
        factory="redraft.execute.python.engine:Python",
        isolation="redraft.execute.python.engine:Python.isolation",
        languages=(PYTHON,),
        summary="CPython in WebAssembly, with or without checks of what functions give",
        checks=True,
    ),
}
"""Name -> engine. A name has no hyphen, as `verdicts-NAME-RULE.parquet` has to be told apart. `platform` is kept for
verdicts that come with the logs."""
DEFAULT_ENGINE = "v8"


def described() -> str:
    """All engines in words, for help."""
    each = (
        f"{name} ({labels(entry.languages)}): {entry.summary}{f'; needs {entry.needs}' if entry.needs else ''}."
        for name, entry in sorted(ENGINES.items(), key=lambda item: item[0] != DEFAULT_ENGINE)
    )
    return " ".join(each)
