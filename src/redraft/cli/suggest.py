"""`redraft suggest`."""

from __future__ import annotations

import json as jsons
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from redraft.cli.options import EngineName, options_for, resolve
from redraft.execute.registry import DEFAULT_ENGINE
from redraft.studies.recover.settings import SuggestConfig

if TYPE_CHECKING:
    from redraft.studies.recover.settings import SuggestConfig as SuggestOptions
else:
    SuggestOptions = options_for(SuggestConfig)


def suggest(
    *trace: Path,
    model: Path,
    student: str,
    title: str,
    state: int | None = None,
    dataset: Path | None = None,
    neural_cache: Path | None = None,
    language: str | None = None,
    at: datetime | None = None,
    shown: int = 3,
    json: Annotated[bool, Parameter(negative="")] = False,
    engine: EngineName = DEFAULT_ENGINE,
    workers: int = 2,
    config: list[Path] | None = None,
    options: Annotated[SuggestOptions, Parameter(name="*")] | None = None,
) -> None:
    """Suggest how a student may mend a failing program: small edits, in their own style, that end in one that runs.

    Prints edit sequences, best first, each with its diffs and what they change in plain words. Every program is run in
    the sandbox; no sequence is shown that doesn't end in a running one. docs/recover.md has the objective.

    Example: redraft suggest --model trace.model --student 3f9a --title house drafts/1.coffee drafts/2.coffee

    Parameters
    ----------
    trace: Path
        The drafts, the failing one last: files in order, a folder of files (in order of name), or a dataset that holds
        the student's trace on the title.
    model: Path
        The model's folder.
    student: str
        Whose drafts (keyed hash, as in the dataset). One the model has not met is taken as a student unknown to it.
    title: str
        The assignment's title.
    state: int
        Of a dataset's trace, the number of the state to mend, from 1; default: the last.
    dataset: Path
        With files: a dataset that shows the student's other programs and what others wrote.
    neural_cache: Path
        A neural cache of the model (`redraft neural-cache`): what the student wrote before these drafts, on other
        titles, is mixed into what the model says.
    language: str
        Of files; default: by their endings, which say coffeescript if they say nothing. The engine must judge it.
    at: datetime
        Of files: when the last was run (UTC); default: when it was changed. Those before it count as a minute apart.
    shown: int
        Edit sequences shown, at most.
    json: bool
        Print JSON.
    engine: str
        What runs the programs.
    workers: int
        Programs that run at the same time.
    config: list[Path]
        Files of settings (TOML); a later one's keys win over an earlier one's, and options win over all.
    options: dict
        Settings, an option each.
    """
    from redraft.lm.checkpoint import load_model  # loads torch
    from redraft.lm.neural_cache.store import open_cache
    from redraft.studies.common.running import open_runner
    from redraft.studies.recover import suggest as suggesting
    from redraft.studies.recover.drafts import open_drafts

    settings = resolve(SuggestConfig, config, options)
    when = at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
    states, around = open_drafts(
        trace, student=student, title=title, dataset=dataset, state=state, language=language, at=when
    )
    loaded = load_model(model)
    cache = open_cache(neural_cache, loaded) if neural_cache else None
    with open_runner(engine, workers=workers) as runner:
        made = suggesting.suggest(
            loaded, states, title=title, student=student, runner=runner, around=around, config=settings, cache=cache
        )
    if made is None:
        lines = [jsons.dumps({"runs": True})] if json else ["The program runs as it is: nothing to mend."]
    elif json:
        lines = [jsons.dumps({"runs": False, **made.to_json(shown)}, indent=2)]
    else:
        lines = suggesting.to_text(made, shown)
    print("\n".join(lines))
