"""Settings: frozen dataclasses to and from TOML.

Files stack from left to right: a later file's key wins. A key that no field has is an error with a suggestion;
all such errors of a file are reported together. Each field is documented by the string below it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import tomli_w

from redraft.errors import InputError, suggestion

C = TypeVar("C")
LONGEST_SETTINGS = 10**6
"""Bytes."""


def read_toml(file: Path) -> dict[str, Any]:
    """What a TOML file holds.

    Raises:
        InputError: It can't be read, isn't TOML, or is longer than settings are.
    """
    try:
        if file.stat().st_size > LONGEST_SETTINGS:
            raise InputError(
                f"has more than {LONGEST_SETTINGS:,} bytes.", where=file, remedy="Name a file of settings."
            )
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror}).", where=file) from error
    except RecursionError as error:
        raise InputError("is nested too deep.", where=file) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not valid TOML: {error}.", where=file) from error


def load(
    cls: type[C], files: Sequence[Path] = (), overrides: Mapping[str, Any] | None = None, *, base: C | None = None,
    read: Callable[[Path], dict[str, Any]] = read_toml,
) -> C:  # fmt: skip
    """Build a `cls` from `base` (its defaults), then `files` from left to right, then `overrides` (nested mappings).

    Args:
        cls: A frozen dataclass.
        files: Of settings; a later file's key wins.
        overrides: What wins over files.
        base: What stands where nothing else is given.
        read: Reads a file, in a way that knows names of older versions, say.

    Raises:
        InputError: A file can't be read, isn't TOML, or holds unknown keys or values of a wrong type.
    """
    merged: dict[str, Any] = {} if base is None else asdict(base)  # type: ignore[call-overload]  # a dataclass
    for file in files:
        table = read(file)
        problems = _problems(cls, table, "")
        if problems:
            raise InputError(" ".join(problems), where=file)
        _merge(merged, table)
    if overrides:
        _merge(merged, overrides)
    return build(cls, merged)


def build(cls: type[C], table: Mapping[str, Any]) -> C:
    """A `cls` from nested mappings, with defaults for what is missing; what it calls `RETIRED` is passed over.

    Raises:
        InputError: Unknown keys or values of a wrong type, all named.
    """
    problems = _problems(cls, table, "")
    if problems:
        raise InputError(" ".join(problems))
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key in _retired(cls):
            continue
        hint = hints[key]
        if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
            values[key] = build(hint, value)
        elif get_origin(hint) is tuple and isinstance(value, list):
            values[key] = tuple(value)
        elif hint is float or (_is_union(hint) and float in get_args(hint) and isinstance(value, int)):
            values[key] = float(value)
        else:
            values[key] = value
    return cls(**values)


def dump(config: Any) -> str:
    """A config as TOML text; fields that are None are left out."""
    return tomli_w.dumps(_without_none(asdict(config)))


def _merge(into: dict[str, Any], table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)


def _problems(cls: type, table: Mapping[str, Any], prefix: str) -> list[str]:
    hints = get_type_hints(cls)
    names = [field.name for field in fields(cls)]
    problems = []
    for key, value in table.items():
        if key in _retired(cls):
            continue
        if key not in names:
            problems.append(f"Unknown key {prefix + key!r}. {suggestion(key, names)}")
        elif is_dataclass(hints[key]) and isinstance(value, Mapping):
            problems.extend(_problems(hints[key], value, f"{prefix}{key}."))
        elif not fits(value, hints[key]):
            wanted = getattr(hints[key], "__name__", str(hints[key]))
            problems.append(f"{prefix + key!r} is {value!r}, which is not {wanted}.")
    return problems


def _retired(cls: type) -> Sequence[str]:
    """Settings that earlier versions had."""
    return getattr(cls, "RETIRED", ())


def fits(value: Any, hint: Any) -> bool:
    """Whether a value, as TOML or JSON hold them, is what an annotation says."""
    origin, args = get_origin(hint), get_args(hint)
    if _is_union(hint):
        return any(fits(value, arg) for arg in args)
    if hint is type(None):
        return value is None
    if hint is Any:
        return True
    if origin in (tuple, list):
        return isinstance(value, list | tuple) and all(fits(item, args[0]) for item in value)
    if origin is dict:
        return isinstance(value, Mapping) and all(fits(k, args[0]) and fits(v, args[1]) for k, v in value.items())
    if origin is not None:  # Literal
        return value in args
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if isinstance(hint, type) else True


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return list(value) if isinstance(value, tuple) else value
