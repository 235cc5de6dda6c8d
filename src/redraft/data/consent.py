"""Lists of ids that a researcher hands in, and whom of the logs they mean.

In: text with an id per line. Out: `IdList`s, matched with the ids of the logs. Both are cleaned by `identity.clean_id`.
An id that matches nobody as it is written matches the one that differs in case only, if there is just one.

Which ids the logs hold is known only when all is read. So students who are named as they are written are left out while
the logs are read, and those who may be meant under another case when the states are gathered. Ids are named to the user
by their lines, never as they are.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from redraft.data.identity import clean_id, keyed_hash, keyed_hashes
from redraft.errors import InputError
from redraft.progress import say

_HEADERS = frozenset({
    "student", "students", "studentid", "id", "ids", "user", "users", "userid", "username", "subject",
    "subjectid", "owner", "uid", "pseudonym", "login", "name", "email",
})  # fmt: skip
"""What a list's first line may say of it, in small letters and digits alone."""
LONGEST_LIST = 64 * 10**6
"""Bytes."""
_LONGEST_LINE = 1000
"""Characters; a longer line holds no id."""
_LISTED = 20
_REMEDY = "Write one student's id per line, as UTF-8 text."


def folded(raw_id: str) -> str:
    """A cleaned id, whatever its case."""
    return unicodedata.normalize("NFC", raw_id.casefold())


def is_header(word: str) -> bool:
    """Whether a word is what a column of ids is usually called."""
    return re.sub(r"[^a-z0-9]", "", word.casefold()) in _HEADERS


@dataclass(frozen=True, kw_only=True)
class IdList:
    """Cleaned ids and where each stands first."""

    file: Path
    """Where they are from."""
    places: Mapping[str, int]
    """Id -> line, or row of a table, from 1."""
    place: str = "line"
    """What the places are."""
    header: str | None = None
    """A first line that names the column; left out of the ids."""

    @cached_property
    def folds(self) -> frozenset[str]:
        """The ids, whatever their case."""
        return frozenset(map(folded, self.places))

    def __contains__(self, raw_id: str) -> bool:
        return raw_id in self.places

    def where(self, places: Sequence[int]) -> str:
        """Places in words."""
        shown = ", ".join(f"{place:,}" for place in sorted(places)[:_LISTED])
        more = f" and {len(places) - _LISTED:,} more" if len(places) > _LISTED else ""
        return f"{self.place}{'s' if len(places) > 1 else ''} {shown}{more}"


def read_ids(file: Path) -> IdList:
    """Raw ids, one per line; blank lines are skipped, and so is a first one that says what the ids are.

    Raises:
        InputError: The file can't be read, is no text, has several columns, or names nobody.
    """
    places: dict[str, int] = {}
    several: list[int] = []
    header = None
    for number, line in enumerate(re.split(r"\r\n|\r|\n", _text_of(file)), 1):
        if len(line) > _LONGEST_LINE:
            cause = f"line {number:,} has more than {_LONGEST_LINE:,} characters, which is no id."
            raise InputError(cause, where=file, remedy=_REMEDY)
        fields = _fields(line)
        if len(fields) > 1:
            several.append(number)
        elif fields and header is None and not places and is_header(fields[0]):
            header = fields[0]
        elif fields:
            places.setdefault(fields[0], number)
    found = IdList(file=file, places=places, header=header)
    if several:
        remedy = "Keep the column of ids alone; put quotes around an id that holds a comma, semicolon or tab."
        raise InputError(f"has several columns ({found.where(several)}).", where=file, remedy=remedy)
    if not places:
        raise InputError("names no student.", where=file, remedy=_REMEDY)
    return found


def _text_of(file: Path) -> str:
    try:
        with file.open("rb") as raw:
            data = raw.read(LONGEST_LIST + 1)
        if len(data) > LONGEST_LIST:
            raise InputError(f"has more than {LONGEST_LIST:,} bytes.", where=file, remedy=_REMEDY)
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror}).", where=file, remedy="Check the path.") from error
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError("is not UTF-8 text.", where=file, remedy=_REMEDY)
    return text


def _fields(line: str) -> list[str]:
    """What stands in a line: several if it is one of a table; empty ones are left out."""
    most: list[str] = []
    for separator in ",;\t":
        row = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
        fields = [field for field in map(clean_id, row) if field]
        most = max(most, fields, key=len)
    return most


@dataclass(frozen=True, kw_only=True)
class Lists:
    """Whose ids are given, and what for."""

    include: IdList | None = None
    """Only these may be used; None: all."""
    exclude: IdList | None = None
    """Not these, even if included."""
    covariates: IdList | None = None
    """Something is known of these."""

    @cached_property
    def folds(self) -> frozenset[str]:
        """The ids of all lists, whatever their case."""
        return frozenset().union(*(ids.folds for ids in (self.include, self.exclude, self.covariates) if ids))

    def refuses(self, raw_id: str) -> bool:
        """Whether a cleaned id of the logs is known not to be used, before all of them are."""
        if self.exclude and (raw_id in self.exclude or raw_id == self.exclude.header):
            return True
        return self.include is not None and folded(raw_id) not in self.include.folds

    def match(self, seen: Mapping[str, Set[str]], key: bytes, *, allow_unmatched: bool) -> Matches:
        """Whom the lists mean.

        Args:
            seen: Hash of a folded id -> hashes of the logs' ids that fold to it; of all ids in `folds`.
            key: The key of the hashes.
            allow_unmatched: Go on if ids to exclude match nobody.

        Raises:
            InputError: An id to exclude matches nobody, or it can't be told whom; or no id to include matches anybody.
        """
        include = _match(self.include, seen, key) if self.include else None
        exclude = _match(self.exclude, seen, key) if self.exclude else None
        if self.exclude and exclude:
            if exclude.ambiguous:
                _stop_at_ambiguous(self.exclude, exclude.ambiguous)
            if exclude.missing and not allow_unmatched:
                remedy = "Correct them; or add --allow-unmatched if these students are in no log."
                raise InputError(_nobody(self.exclude, exclude.missing), where=self.exclude.file, remedy=remedy)
        if self.include and include and not include.students:
            remedy = "Write the ids as they stand in the logs."
            raise InputError(_nobody(self.include, include.unmatched), where=self.include.file, remedy=remedy)
        for ids, matched in ((self.exclude, exclude), (self.include, include)):
            if ids and matched and matched.unmatched:
                say(f"{ids.file}: {_nobody(ids, matched.unmatched)}")
        students = {keyed for found in seen.values() for keyed in found}
        gone = set(exclude.students.values()) if exclude else set()
        if self.exclude and self.exclude.header:
            gone.add(keyed_hash(self.exclude.header, key))
        used = set(include.students.values()) if include else None
        known: dict[str, str] = {}
        if self.covariates:
            found = _match(self.covariates, seen, key)
            known = found.students
            if found.unmatched:
                say(f"{self.covariates.file}: {_nobody(self.covariates, found.unmatched)}")
        return Matches(frozenset(gone), None if used is None else frozenset(used), known, frozenset(students))


class Matches(NamedTuple):
    """Whom lists mean, by keyed hash."""

    exclude: frozenset[str] = frozenset()
    include: frozenset[str] | None = None
    covariates: Mapping[str, str] = {}
    """Id as the covariates have it -> student."""
    looked_at: frozenset[str] = frozenset()
    """The logs' students whom a list may mean."""

    def allows(self, student: str) -> bool:
        """Whether the student's rows may be used."""
        return student not in self.exclude and (self.include is None or student in self.include)

    @property
    def refused(self) -> list[str]:
        """Students who may not be used, of those who weren't left out before."""
        return sorted(student for student in self.looked_at if not self.allows(student))


class _Matched(NamedTuple):
    students: dict[str, str]
    missing: list[int]
    ambiguous: list[int]

    @property
    def unmatched(self) -> list[int]:
        return sorted([*self.missing, *self.ambiguous])


def _match(ids: IdList, seen: Mapping[str, Set[str]], key: bytes) -> _Matched:
    hashes = dict(zip(ids.places, keyed_hashes(ids.places, key), strict=True))
    as_written = set(hashes.values())
    matched = _Matched({}, [], [])
    for raw_id, keyed in hashes.items():
        found = seen.get(keyed_hash(folded(raw_id), key), frozenset())
        others = found - as_written
        if keyed in found:
            matched.students[raw_id] = keyed
        elif len(others) == 1:
            matched.students[raw_id] = next(iter(others))
        else:
            (matched.ambiguous if others else matched.missing).append(ids.places[raw_id])
    return matched


def _nobody(ids: IdList, places: Sequence[int]) -> str:
    return f"{len(places):,} of {len(ids.places):,} ids match nobody in the logs ({ids.where(places)})."


def _stop_at_ambiguous(ids: IdList, places: Sequence[int]) -> None:
    raise InputError(
        f"{len(places):,} ids may mean several students of the logs, whose ids differ only in case "
        f"({ids.where(places)}).",
        where=ids.file,
        remedy="Write them as they stand in the logs, each on a line of its own.",
    )


def fold_hashes(raw_ids: Iterable[str], key: bytes) -> list[str]:
    """The hash of each id, whatever its case."""
    return keyed_hashes(map(folded, raw_ids), key)
