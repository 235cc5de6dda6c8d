"""`redraft execute`: which programs run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from redraft.cli.options import EngineName
from redraft.errors import InputError, UsageError
from redraft.execute.registry import DEFAULT_ENGINE, described
from redraft.progress import say, track

if TYPE_CHECKING:
    from redraft.execute.verdict import Program, Verdict

Positive = Annotated[int, Parameter(validator=validators.Number(gte=1))]
Flag = Annotated[bool, Parameter(negative="")]
ENGINE = f"""What runs the programs. {described()} Programs in other languages get no verdict from it. Several engines'
verdicts on a dataset stand side by side."""
SHOWN = 10
"""Bad lines of an input that are named."""


def execute(
    input: Path | None = None,
    *,
    out: Path | None = None,
    engine: Annotated[EngineName, Parameter(help=ENGINE)] = DEFAULT_ENGINE,
    workers: Positive = 2,
    rule: Literal["corrected", "paper", "released", "tests"] | None = None,
    tests: Path | None = None,
    seed: int = 0,
    cache: Path | None = None,
    no_cache: Flag = False,
    chromium: Path | None = None,
    script: str | None = None,
    allow_network: Flag = False,
    isolation: Annotated[Literal["strict"] | bool, Parameter(negative="")] = False,
) -> None:
    """Say of every program whether it runs, safely: a verdict, the errors a student would see, and their lines.

    Example: redraft execute class.dataset --out verdicts.jsonl

    A line of the output: {"id", "verdict": ok, failed, error, timeout, memory, crash or unscored, "language",
    "end_reached", "errors": [{"kind", "message", "line"}], "seconds"}. What is known already is taken from the cache,
    so a killed run goes on where it was.

    Args:
        input: A dataset (each distinct program once), or JSON lines (or a JSON list) with id, code and perhaps
            language and title. A dataset's verdicts are also written beside its traces, to verdicts-ENGINE.parquet.
            Needed unless only `--isolation` is asked for.
        out: The JSON lines to write, in the order of the input. Needed unless the input is a dataset.
        engine: What runs the programs (`ENGINE`).
        workers: Programs that run at the same time.
        rule: What counts as running: corrected (the default), or as the paper or its released code has it; or tests
            (the default with `--tests`). Each rule has a file of its own beside a dataset's traces:
            verdicts-ENGINE-RULE.parquet if it isn't the corrected one.
        tests: A folder with a file of checks per title, TITLE.py: a program that runs and doesn't pass those of its
            title is `failed`. For the engine python.
        seed: Of the programs' random numbers.
        cache: Folder of outcomes known already; by default in the user's cache folder.
        no_cache: Run every program, and keep nothing.
        chromium: The browser to use; by default one found on this system.
        script: For chromium, the runtime's script: a path, an address, or `own` for ours.
        allow_network: For chromium, let pages load what programs ask for.
        isolation: Print what stands between programs and this system, and what of it the system lacks. With `strict`,
            run no program if anything is lacking.
    """
    if isolation:
        _tell_isolation(engine)
    if input is None:
        if isolation is True:
            return
        raise UsageError("what to judge is missing.", remedy="Name a dataset or a file of JSON lines.")
    from redraft.data.store import MANIFEST, open_dataset
    from redraft.execute.cache import Cache, default_folder
    from redraft.execute.dataset import execute_dataset, not_judged
    from redraft.execute.engine import EngineOptions, checks_for, make_engine, rule_named
    from redraft.execute.engine import execute as run

    dataset = open_dataset(input) if input.is_dir() or (input / MANIFEST).exists() else None
    if not input.exists():
        raise InputError("there is no such file or folder.", where=input, remedy="Name a dataset or JSON lines.")
    if dataset is None and out is None:
        raise UsageError("--out is missing.", remedy="Name the file to write; only a dataset keeps verdicts itself.")
    rule = rule or ("tests" if tests else "corrected")
    checks = checks_for(engine, rule, tests)
    given = [] if dataset else _read(input)
    options = EngineOptions(
        workers=workers,
        seed=seed,
        browser=chromium,
        script=script,
        allow_network=allow_network,
        strict=isolation == "strict",
    )
    counts: Counter[str] = Counter()
    others: Counter[str | None] = Counter()
    kept: Path | None = None
    with ExitStack() as exits:
        made = exits.enter_context(make_engine(engine, options))
        known = None if no_cache else exits.enter_context(Cache(cache or default_folder()))
        write = exits.enter_context(_lines(out)) if out else None

        def told(name: str | int, verdict: Verdict) -> None:
            if write:
                write(name, verdict)
            if verdict.judged:
                counts[verdict.verdict] += 1
            else:
                others[verdict.language] += 1

        if dataset:
            kept = execute_dataset(
                dataset, made, name=engine, rule=rule, cache=known, checks=checks,
                each=lambda verdict: told(verdict.id, verdict),
            )  # fmt: skip
        else:
            judged = run((program for _, program in given), made, rule=rule_named(rule), cache=known, checks=checks)
            for (name, _), verdict in zip(given, track(judged, "execute", len(given)), strict=True):
                told(name, verdict)  # with its id as the input has it, which may be a number
            if others:
                say(not_judged(engine, made.languages, others))
    said = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
    say(f"{counts.total():,} programs: {said or 'none'}")
    if kept:
        say(str(kept))


def _tell_isolation(engine: str) -> None:
    from redraft.execute.engine import isolation

    for wall in isolation(engine):
        state = f"lacking: {wall.problem}" if wall.problem else "in force"
        print(f"{wall.name}: {wall.words}. {state}")


@contextmanager
def _lines(out: Path) -> Iterator[Callable[[str | int, Verdict], None]]:
    from redraft.execute.verdict import to_row
    from redraft.rundir import atomic_file

    with atomic_file(out) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield lambda name, verdict: print(json.dumps(to_row(verdict) | {"id": name}), file=file)


def _read(file: Path) -> list[tuple[str | int, Program]]:
    """The programs of a file of JSON lines, each with its id as it stands there.

    Raises:
        InputError: It can't be read, or lines aren't programs: all named, with their numbers.
    """
    from redraft.data.languages import language_named
    from redraft.data.sources.growth import UNPACK_RATIO
    from redraft.data.sources.jsonrows import json_records
    from redraft.data.sources.states import Damaged
    from redraft.execute.verdict import Program

    found: list[tuple[str | int, Program]] = []
    wrong: list[int] = []
    try:
        for number, record, _ in json_records(file, 1 << 20, UNPACK_RATIO):
            match record:
                case {"id": str() | int() as name, "code": str() as code, **rest} if isinstance(
                    language := rest.get("language"), str | None
                ) and isinstance(title := rest.get("title"), str | None):
                    language = language_named(language) if language and language.strip() else None
                    found.append((name, Program(id=str(name), code=code, language=language, title=title)))
                case _:
                    wrong.append(number)
    except Damaged as error:
        raise InputError(f"can't be read: {error}.", where=file, remedy="Give a dataset or JSON lines.") from error
    except OSError as error:
        raise InputError(f"can't be read ({error}).", where=file, remedy="Give a dataset or JSON lines.") from error
    if wrong:
        places = ", ".join(f"{file.name}:{number}" for number in wrong[:SHOWN])
        more = f" and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
        raise InputError(
            f"{len(wrong):,} lines are no programs: {places}{more}.",
            where=file,
            remedy='Each line is an object: {"id": "a", "code": "fd 100"}, perhaps with "language".',
        )
    return found
