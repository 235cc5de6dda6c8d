"""Which pairs train a model and which test it.

In: a dataset. Out: `dataset/splits/NAME.parquet`, a row per (student, title) pair, sorted: student, title, split, and
`assignment`, whether the title counts as an assignment. All traces of a pair are on one side.

Rules (`RULES`):

- `holdout` (default): some students and some titles are held out for good, by a seeded hash of the id. Of the pairs
  of the others, `train_share` train; the rest is seen-seen. Student first: seen-unseen is a seen student's work on a
  held-out title.
- `released`: the same draw, but 'unseen' means absent from the training pairs, as in the paper's released code, so
  rare students and titles count as unseen.
- `forward`: the last `forward_share` of each student's pairs in time are the test; nothing is held out.

Titles can be families (`title_family`), such as `square` and `square2` of a simulated class, which share their plans: a
variant of a title that trained is no unseen title, so a family is held out as a whole. `tested_titles` makes some
titles those to test on: what a student is like must then be known from other titles.

A draw depends on nothing but seed and id, so it stays when the dataset grows. Exceptions: a *number* to hold out (a
newcomer may displace one), a share that rounds to none of what is there (2% of 12 titles: none is held out until
there are 25), one that rounds to some but draws none (then one is held out), and what follows from the data: who is
`unplaced`, who is 'unseen' by `released`, who is latest.
`unplaced` is a test pair whose student or title has no training pair though it should have; it is in no test split.
Validation pairs don't count as training. They are drawn from the training pairs one by one, so that a validation
pair's student or title may have no other.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from redraft.config import build
from redraft.data.store import Dataset
from redraft.data.titles import families_of, numbered, titles_in
from redraft.data.trace import Pair, Trace
from redraft.errors import DatasetError, InputError, RedraftError, UsageError, suggestion
from redraft.progress import say
from redraft.rundir import check_version
from redraft.rundir.tables import read_table, write_table

TRAIN, VALIDATION, UNPLACED = "train", "validation", "unplaced"
TEST_SPLITS = ("seen-seen", "seen-unseen", "unseen-seen", "unseen-unseen", "forward")
SPLITS = (TRAIN, VALIDATION, *TEST_SPLITS, UNPLACED)

SCHEMA_VERSION = 1
"""Version of the file's format; an older one stays loadable."""

NEVER_ASSIGNMENTS = frozenset({"untitled", "first", "myprogram"})
"""Titles the platform gives by itself: frequent, but each hides many goals (paper A.1)."""

SCHEMA = pa.schema(
    [
        pa.field("student", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("assignment", pa.bool_(), nullable=False),
    ]
)


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How to split a dataset."""

    rule: str = "holdout"
    """`holdout`, `released` or `forward`."""
    seed: int = 0
    """Another seed draws other students, titles and pairs."""
    held_students: float = 0.02
    """Students held out: a share below 1 (each drawn by itself: about that share), or a number from 1 on."""
    held_titles: float = 0.02
    """Titles held out: a share below 1, or a number from 1 on; where titles are families, of these."""
    title_family: str | None = None
    """A regular expression. Titles in which it finds the same (in its first group, if it has one) are a family, and are
    held out together. Default: in a simulated class, a title and the same with a number at its end are a family; else
    every title is a family of its own."""
    tested_titles: str | None = None
    """A text file of titles to test on, one per line (`holdout`, `released`). Only titles among them are held out, only
    some students train on the rest of them, and all pairs of other titles train. Without it, all titles are alike."""
    tested_students: float = 0.5
    """Share of the students that are tested on the `tested_titles`; the rest trains on them."""
    train_share: float = 0.8
    """Share of the pairs not held out that train (`holdout`, `released`)."""
    validation_share: float = 0.02
    """Share of the training pairs set aside for validation."""
    forward_share: float = 0.2
    """Share of each student's pairs, the latest, that test (`forward`)."""
    titles_file: str | None = None
    """A text file of assignment titles, one per line; without it, titles of at least `assignment_students`."""
    assignment_students: int = 50
    """Distinct students that make a title an assignment when there is no titles file."""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise UsageError(f"unknown split rule {self.rule!r}.", remedy=suggestion(self.rule, RULES))
        for name in ("train_share", "validation_share", "forward_share", "tested_students"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}.", remedy="Give a share from 0 to 1.")
        for name in ("held_students", "held_titles"):
            value = getattr(self, name)
            if not (0 <= value < 1 or (value >= 1 and float(value).is_integer())):
                raise UsageError(f"{name} is {value}.", remedy="Give a share below 1 or a whole number from 1 on.")
        try:
            re.compile(self.title_family or "")
        except re.error as error:
            raise UsageError(f"title_family is no regular expression ({error}).") from error


class Split:
    """A dataset's pairs and the split each is in. Make one with `make_split` or `load_split`."""

    def __init__(self, name: str, table: pa.Table, config: SplitConfig) -> None:
        self.name, self.table, self.config = name, table, config

    def __repr__(self) -> str:
        return f"Split({self.name!r}, {self.counts()})"

    @cached_property
    def of(self) -> Mapping[Pair, str]:
        """Pair -> split."""
        students, titles, splits = (
            map(sys.intern, self.table[name].to_pylist()) for name in ("student", "title", "split")
        )
        return dict(zip(map(Pair, students, titles), splits, strict=True))

    @cached_property
    def assignments(self) -> frozenset[str]:
        """Titles that count as assignments."""
        return frozenset(pc.unique(self.table.filter(self.table["assignment"])["title"]).to_pylist())

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of what is in which split, whatever the file's bytes; models keep it."""
        digest = hashlib.sha256()
        for column in ("student", "title", "split"):
            digest.update(json.dumps(self.table[column].to_pylist()).encode())
        return digest.hexdigest()

    def counts(self) -> dict[str, int]:
        """Pairs in each split, the empty ones included."""
        found = {row["values"]: row["counts"] for row in pc.value_counts(self.table["split"]).to_pylist()}
        return {split: found.get(split, 0) for split in SPLITS}

    def select(self, traces: Iterable[Trace], *splits: str) -> Iterator[Trace]:
        """The traces whose pair is in one of `splits`, in order; pairs this split doesn't know are left out.

        Raises:
            UsageError: There is no such split.
        """
        for split in splits:
            if split not in SPLITS:
                raise UsageError(f"unknown split {split!r}.", remedy=suggestion(split, SPLITS))
        return (trace for trace in traces if self.of.get(trace.pair) in splits)


def make_split(dataset: Dataset, config: SplitConfig, name: str = "default", *, overwrite: bool = False) -> Split:
    """Split a dataset's pairs, write `splits/NAME.parquet` into it, and say which splits came out empty.

    A split that is there already, and is the same, is left as it is.

    Args:
        dataset: Whose pairs.
        config: How to split.
        name: The split's name.
        overwrite: Replace another split of this name.

    Raises:
        DatasetError: There is another split of this name.
        UsageError: `name` can't be a file's name.
        InputError: The rule needs times and there are none, or the titles file can't be read.
    """
    path = split_file(dataset, name)
    pairs = [Pair(*row) for row in zip(*(column.to_pylist() for column in dataset.pairs().columns), strict=True)]
    rule = RULES[config.rule]
    places = rule.place(dataset, pairs, config)
    assignments = _assignments(pairs, config)
    columns = [
        [pair.student for pair in pairs],
        [pair.title for pair in pairs],
        places,
        [pair.title in assignments for pair in pairs],
    ]
    about = {"schema_version": str(SCHEMA_VERSION), "config": json.dumps(asdict(config))}
    table = pa.table(columns, schema=SCHEMA.with_metadata(about))
    split = Split(name, table, config)
    if not path.exists() or (overwrite and not _is_at(path, table)):
        write_table(table, path)
    elif not _is_at(path, table):
        raise DatasetError(
            "is another split; models that were trained on it could no longer be tested.",
            where=path,
            remedy="Choose another --name, or add --overwrite.",
        )
    counts = split.counts()
    empty = [expected for expected in rule.splits if not counts[expected]]
    if empty:
        say(f"Split {name}: no pairs in {', '.join(empty)}; what needs them stays unscored.")
    return split


def _is_at(path: Path, table: pa.Table) -> bool:
    """Whether a split's file holds this table, made by these settings (those it was made before count as default)."""
    try:
        there = read_table(path)
        same = build(SplitConfig, json.loads(there.schema.metadata[b"config"]))
        return same == build(SplitConfig, json.loads(table.schema.metadata[b"config"])) and there.equals(table)
    except (KeyError, TypeError, ValueError, RedraftError):
        return False


def load_split(dataset: Dataset, name: str = "default") -> Split:
    """Read a split of a dataset.

    Raises:
        DatasetError: There is no such split, its file is damaged, or it was made by a newer redraft.
    """
    path = split_file(dataset, name)
    if not path.exists():
        known = sorted(file.stem for file in path.parent.glob("*.parquet"))
        raise DatasetError(
            f"has no split {name!r}" + (f" (only {', '.join(known)})." if known else "."),
            where=dataset.path,
            remedy=f"Make it: redraft split {dataset.path}" + ("" if name == "default" else f" --name {name}"),
        )
    named = "" if name == "default" else f" --name {name}"
    remedy = f"Make it again, with the same settings: redraft split {dataset.path}{named} --overwrite"
    table = read_table(path, SCHEMA.names, remedy=remedy)
    about = table.schema.metadata or {}
    try:
        version = int(about[b"schema_version"])
        check_version(version, SCHEMA_VERSION, where=path, remedy=remedy)
        config = build(SplitConfig, json.loads(about[b"config"]))
        return Split(name, table.cast(SCHEMA), config)
    except (pa.ArrowException, KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise DatasetError("is no split.", where=path, remedy=remedy) from error


def split_file(dataset: Dataset, name: str) -> Path:
    """Where a dataset's split is.

    Raises:
        UsageError: `name` can't be a file's name.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageError(f"{name!r} can't name a split.", remedy="Use letters, digits, '.', '-' and '_'.")
    return dataset.path / "splits" / f"{name}.parquet"


def _assignments(pairs: Sequence[Pair], config: SplitConfig) -> Collection[str]:
    students = Counter(pair.title for pair in pairs)  # pairs are distinct: a title's pairs are its students
    if config.titles_file is None:
        return {
            title
            for title, count in students.items()
            if count >= config.assignment_students and title not in NEVER_ASSIGNMENTS
        }
    return titles_in(config.titles_file, students.keys())


class Rule(NamedTuple):
    """A way to split."""

    place: Callable[[Dataset, Sequence[Pair], SplitConfig], list[str]]
    """The split of each pair."""
    splits: tuple[str, ...]
    """The splits it is meant to fill."""


def _holdout(dataset: Dataset, pairs: Sequence[Pair], config: SplitConfig) -> list[str]:
    return _unplace(pairs, _draw_sides(dataset, pairs, config))


def _released(dataset: Dataset, pairs: Sequence[Pair], config: SplitConfig) -> list[str]:
    places = _draw_sides(dataset, pairs, config)
    students, titles = _trained(pairs, places)
    return [
        place if place in (TRAIN, VALIDATION) else _SIDES[pair.student not in students, pair.title not in titles]
        for pair, place in zip(pairs, places, strict=True)
    ]


def _forward(dataset: Dataset, pairs: Sequence[Pair], config: SplitConfig) -> list[str]:
    """Each student's latest pairs, by the time of a pair's first state, rounded to a whole number of pairs.

    At least one pair of a student trains. Pairs that begin at the same instant as the last one to train train too.
    Pairs without a time train, and don't count towards the share. Only beginnings are ordered: a training trace may
    go on after a test trace has begun.
    """
    starts = _starts(dataset)
    if not starts:
        raise InputError("a forward split needs times, and no trace here has any.", where=dataset.path,
                         remedy="Use the rule `holdout`.")  # fmt: skip
    test: set[Pair] = set()
    for _, group in groupby((pair for pair in pairs if pair in starts), key=lambda pair: pair.student):
        ordered = sorted(group, key=lambda pair: (starts[pair], pair))
        train = max(len(ordered) - int(len(ordered) * config.forward_share + 0.5), 1)
        test.update(pair for pair in ordered[train:] if starts[pair] > starts[ordered[train - 1]])
    return _unplace(pairs, ["forward" if pair in test else _train(pair, config) for pair in pairs])


RULES: dict[str, Rule] = {
    "holdout": Rule(_holdout, (TRAIN, VALIDATION, *TEST_SPLITS[:4])),
    "released": Rule(_released, (TRAIN, VALIDATION, *TEST_SPLITS[:4])),
    "forward": Rule(_forward, (TRAIN, VALIDATION, "forward")),
}
"""Rule name -> rule."""

_SIDES = {(s, t): f"{'un' * s}seen-{'un' * t}seen" for s in (False, True) for t in (False, True)}
_SHOULD_HAVE_TRAINED = {
    "seen-seen": (True, True),
    "seen-unseen": (True, False),
    "unseen-seen": (False, True),
    "forward": (True, True),
}
"""Test split -> whether student and title must occur in training."""


def _uniform(config: SplitConfig, what: str, *ids: str) -> float:
    """A number in [0, 1) fixed by seed and ids."""
    message = json.dumps([config.seed, what, *ids]).encode()
    return int.from_bytes(hashlib.blake2b(message, digest_size=6).digest()) / 2**48


def _held(ids: Collection[str], what: str, wanted: float, config: SplitConfig) -> Collection[str]:
    drawn = {one: _uniform(config, what, one) for one in ids}
    if wanted >= 1:
        return set(sorted(drawn, key=lambda one: (drawn[one], one))[: int(wanted)])
    if not wanted or not drawn:
        return set()
    if wanted * len(drawn) < 0.5:
        say(f"A share of {wanted:g} of {len(drawn)} {what}s holds out none; held_{what}s = 1 would hold out one.")
        return set()
    held = {one for one, number in drawn.items() if number < wanted}
    held = held or {min(drawn, key=lambda one: (drawn[one], one))}  # each is drawn by itself, so it may be nobody
    say(f"A share of {wanted:g} of {len(drawn)} {what}s: {len(held)} held out.")
    return held


def _train(pair: Pair, config: SplitConfig) -> str:
    return VALIDATION if _uniform(config, VALIDATION, *pair) < config.validation_share else TRAIN


def _draw_sides(dataset: Dataset, pairs: Sequence[Pair], config: SplitConfig) -> list[str]:
    titles = {pair.title for pair in pairs}
    tested = titles if config.tested_titles is None else titles & titles_in(config.tested_titles, titles)
    by_default = config.title_family is None and dataset.origin == "simulated"
    families = numbered(titles) if by_default else families_of(titles, config.title_family)
    held_students = _held({pair.student for pair in pairs}, "student", config.held_students, config)
    held_families = _held({families[title] for title in tested}, "title", config.held_titles, config)

    def trains(pair: Pair) -> bool:
        if config.tested_titles is None:
            return _uniform(config, "pair", *pair) < config.train_share
        return pair.title not in tested or _uniform(config, "tested", pair.student) >= config.tested_students

    places = []
    for pair in pairs:
        held = pair.student in held_students, families[pair.title] in held_families
        if not any(held) and trains(pair):
            places.append(_train(pair, config))
        else:
            places.append(_SIDES[held])
    return places


def _trained(pairs: Sequence[Pair], places: Sequence[str]) -> tuple[set[str], set[str]]:
    train = [pair for pair, place in zip(pairs, places, strict=True) if place == TRAIN]
    return {pair.student for pair in train}, {pair.title for pair in train}


def _unplace(pairs: Sequence[Pair], places: Sequence[str]) -> list[str]:
    students, titles = _trained(pairs, places)
    result = []
    for pair, place in zip(pairs, places, strict=True):
        student, title = _SHOULD_HAVE_TRAINED.get(place, (False, False))
        misses = (student and pair.student not in students) or (title and pair.title not in titles)
        result.append(UNPLACED if misses else place)
    return result


def _starts(dataset: Dataset) -> dict[Pair, int]:
    """Pair -> the earliest time at which a trace of it begins (microseconds since 1970); only pairs with times."""
    starts: dict[Pair, int] = {}
    for batch in dataset.batches(["student", "title", "states.list.element.at"]):
        batch = batch.filter(pc.greater(pc.list_value_length(batch["states"]), 0))
        first = pc.struct_field(pc.list_element(batch["states"], 0), "at").cast(pa.int64())
        columns = (batch["student"].to_pylist(), batch["title"].to_pylist(), first.to_pylist())
        for student, title, start in zip(*columns, strict=True):
            if start is not None:
                pair = Pair(student, title)
                starts[pair] = min(start, starts.get(pair, start))
    return starts
