"""JSON files that redraft writes and reads again: manifests, cards, requests, plans, counts.

In: an object. Out: a file that holds it and, under `seal`, the SHA-256 of its canonical JSON, so that a change of any
value is noticed. A file of an earlier version has no seal, and is believed. `read_record` refuses what is no JSON
object, was cut short or changed, lacks a key or has a value of another type, always with the file's name and what to
do about it, and without anything that stands in the file.

JSON for other programs is written by `files.write_json`, without a seal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from redraft.config import fits
from redraft.errors import DatasetError
from redraft.rundir.files import sha256_json, write_json

SEAL = "seal"


class Version(NamedTuple):
    """Which versions of a format are read."""

    key: str
    """Where a record says its own."""
    newest: int


def write_record(path: Path, value: Mapping[str, Any], *, in_order: bool = False) -> None:
    """Write an object with its seal, atomically; keys are sorted unless they are to stay `in_order`."""
    write_json(path, {**value, SEAL: sha256_json(normal(value))}, in_order=in_order)


def normal(value: Mapping[str, Any]) -> dict[str, Any]:
    """An object as it will be read again: lists for tuples, texts for keys."""
    found: dict[str, Any] = json.loads(json.dumps(value))
    return found


def read_json(file: Path, *, remedy: str) -> dict[str, Any]:
    """The JSON object in a file, whoever wrote it.

    Raises:
        DatasetError: The file can't be read, or holds something else.
    """
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise DatasetError(f"can't be read ({error.strerror}).", where=file, remedy=remedy) from error
    except (ValueError, RecursionError) as error:
        raise DatasetError("is no JSON, or was cut short or damaged.", where=file, remedy=remedy) from error
    if not isinstance(found, dict):
        raise DatasetError("holds no JSON object.", where=file, remedy=remedy)
    return found


def read_record(
    file: Path, *, remedy: str, needs: Mapping[str, Any] | None = None, version: Version | None = None
) -> dict[str, Any]:
    """What `write_record` wrote to a file.

    Args:
        file: The file.
        remedy: What the user can do if it is refused.
        needs: Keys that must be there, and the type of each one's value, as an annotation.
        version: Which versions are read.

    Raises:
        DatasetError: It can't be read, or isn't what was written, or is of a newer redraft.
    """
    found = read_json(file, remedy=remedy)
    seal = found.pop(SEAL, None)
    if seal is not None and seal != sha256_json(found):
        raise DatasetError("was changed or damaged since it was written.", where=file, remedy=remedy)
    if version is not None:
        check_version(found.get(version.key), version.newest, where=file, remedy=remedy)
    wrong = [key for key, hint in (needs or {}).items() if not fits(found.get(key), hint)]
    if wrong:
        raise DatasetError(f"lacks a proper value of {', '.join(wrong)}.", where=file, remedy=remedy)
    return found


def check_version(found: object, newest: int, *, where: Path, remedy: str) -> None:
    """Refuse a format's version that is none, or newer than this redraft reads.

    Raises:
        DatasetError: Says which.
    """
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise DatasetError("says no version of its format.", where=where, remedy=remedy)
    if found > newest:
        raise DatasetError(
            f"has schema version {found}; this redraft reads up to {newest}.", where=where, remedy="Upgrade redraft."
        )
