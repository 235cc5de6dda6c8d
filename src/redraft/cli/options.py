"""Settings as command-line options: files stack, options win. And options that several commands share.

In: a settings dataclass. Out: a dataclass with the same fields, all optional, for a command's signature; and from
what was given on the command line, over the settings files, the settings themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_type_hints

from cyclopts import Parameter
from docstring_parser import parse_from_object

from redraft.config import load
from redraft.execute.registry import DEFAULT_ENGINE, ENGINES

C = TypeVar("C")
if TYPE_CHECKING:
    EngineName = str
else:
    EngineName = Literal[tuple(sorted(ENGINES, key=lambda name: name != DEFAULT_ENGINE))]
    """An engine's name, for `--engine`; help lists them all."""


def options_for(config: type) -> Any:
    """A dataclass of `config`'s fields in which None means 'not given'; help and defaults are those of `config`."""
    documented = {param.arg_name: param.description or "" for param in parse_from_object(config).params}
    hints, defaults = get_type_hints(config), config()
    members: list[tuple[str, Any, Any]] = []
    for field in fields(config):
        hint, default = hints[field.name], getattr(defaults, field.name)
        if is_dataclass(hint) and isinstance(hint, type):
            members.append((field.name, Annotated[options_for(hint), Parameter(name="*")] | None, None))
        else:
            text = " ".join(documented[field.name].split())
            shown = text if default is None else f"{text} [default: {default}]"
            members.append((field.name, Annotated[hint | None, Parameter(help=shown, show_default=False)], None))
    namespace = {"__module__": __name__}  # cyclopts takes apart only classes that have a module of their own
    return make_dataclass(f"{config.__name__}Options", members, namespace=namespace, frozen=True, kw_only=True)


def resolve(config: type[C], files: Sequence[Path] | None, options: Any) -> C:
    """The settings: defaults, then `files` from left to right, then what `options` gives."""
    return load(config, files or (), _given(asdict(options)) if options else None)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    nested = {name: _given(value) if isinstance(value, dict) else value for name, value in options.items()}
    return {name: value for name, value in nested.items() if value is not None and value != {}}
