"""`redraft ingest FORMAT`: logs in, a dataset out. A command per format of `redraft.data.sources.registry`.

A command's arguments are its source's fields: the first is what to read, the others are options, of which those with
several words take them separated by commas. Help is the source's docstrings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields
from inspect import Parameter as Argument
from inspect import Signature, getdoc
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from cyclopts import App, Parameter
from docstring_parser import parse_from_object

from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.registry import SOURCES, source_class
from redraft.data.sources.states import Source

app = App(name="ingest", help="Turn logs into a dataset.")

Folder = Annotated[Path, Parameter(help="The dataset's folder.")]
Common = Annotated[IngestOptions, Parameter(name="*")] | None


def command_of(source: type[Source]) -> Callable[..., None]:
    """The command that ingests logs of one format, with the source's fields as its arguments."""
    read, *others = fields(source)  # type: ignore[arg-type]  # a dataclass, which the protocol can't say
    hints = get_type_hints(source)
    documented = {param.arg_name: param.description or "" for param in parse_from_object(source).params}
    several = hints[read.name] in (Sequence[Path], Path | Sequence[Path])

    def command(*given: Path, out: Path, options: IngestOptions | None = None, **settings: Any) -> None:
        values = {name: _words(value) if hints[name] == Sequence[str] else value for name, value in settings.items()}
        _ingest(source(**{read.name: given if several else given[0]}, **values), out, options)

    def argument(field: Field[Any], hint: Any, kind: Any = Argument.KEYWORD_ONLY) -> Argument:
        default = Argument.empty if field.default is MISSING else field.default
        if hint == Sequence[str]:
            hint, default = str, ",".join(default) if isinstance(default, Sequence) else default
        none = "" if hint == tuple[str, ...] else None  # an option that may be given again needs no --empty-
        text = Parameter(help=" ".join(documented[field.name].split()), negative=none)
        return Argument(field.name, kind, default=default, annotation=Annotated[hint, text])

    arguments = [
        argument(read, Path, Argument.VAR_POSITIONAL if several else Argument.POSITIONAL_OR_KEYWORD),
        Argument("out", Argument.KEYWORD_ONLY, annotation=Folder),
        *(argument(field, hints[field.name]) for field in others),
        Argument("options", Argument.KEYWORD_ONLY, default=None, annotation=Common),
    ]
    command.__doc__ = getdoc(source)
    command.__signature__ = Signature(arguments)  # type: ignore[attr-defined]  # as inspect reads it
    command.__annotations__ = {argument.name: argument.annotation for argument in arguments}
    return command


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _ingest(source: Source, out: Path, options: IngestOptions | None) -> None:
    dataset = ingest(source, out, options)
    m = dataset.manifest
    counts = f"{m.traces:,} traces of {m.states:,} states, {m.students:,} students, {m.titles:,} titles"
    print(f"{out}: {counts}; origin: {m.origin}")


for _name in SOURCES:
    app.command(command_of(source_class(_name)), name=_name)
