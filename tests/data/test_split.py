"""Splits: disjoint where they say so, the same when data grow, and honest about what is missing."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import make_dataset, make_trace
from known import known
from redraft.data.split import RULES, SPLITS, TEST_SPLITS, Split, SplitConfig, load_split, make_split
from redraft.data.store import Dataset, Origin
from redraft.data.trace import Pair, Trace
from redraft.errors import DatasetError, InputError, UsageError
from redraft.rundir.tables import write_table

DAY = datetime(2020, 1, 1, tzinfo=UTC)


def a_class(students: range, titles: range, share: float = 0.5) -> list[Trace]:
    """Each student does about `share` of the titles, in an order of their own; who does what never changes."""
    traces = []
    for student in students:
        for title in titles:
            random = Random(f"{student} {title}")
            if random.random() < share:
                start = DAY + timedelta(minutes=random.randrange(500_000))
                traces.append(make_trace(["fd 1"], f"s{student:03d}", f"t{title:02d}", start))
    return traces


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("split") / "d", a_class(range(300), range(40)))


@pytest.fixture
def dataset(made: Dataset) -> Dataset:
    """A class without any split."""
    shutil.rmtree(made.path / "splits", ignore_errors=True)
    return made


def students(split: Split, *names: str) -> set[str]:
    return {pair.student for pair, place in split.of.items() if place in names}


def titles(split: Split, *names: str) -> set[str]:
    return {pair.title for pair, place in split.of.items() if place in names}


@pytest.mark.parametrize("rule", RULES)
def test_every_pair_is_in_one_split_and_the_file_says_the_same(dataset: Dataset, rule: str) -> None:
    config = SplitConfig(rule=rule, held_titles=0.1)
    split = make_split(dataset, config, rule)
    assert set(split.of) == {trace.pair for trace in dataset.traces()}
    assert sum(split.counts().values()) == len(split.of)
    assert tuple(split.counts()) == SPLITS
    loaded = load_split(dataset, rule)
    assert (loaded.of, loaded.hash, loaded.config) == (split.of, split.hash, config)
    assert make_split(dataset, config, "again").hash == split.hash
    assert make_split(dataset, replace(config, seed=1), "other").hash != split.hash


def test_held_out_students_and_titles_never_train(dataset: Dataset) -> None:
    split = make_split(dataset, SplitConfig(held_students=0.1, held_titles=0.1))
    seen = ("train", "validation", "seen-seen")
    held_students = students(split, "unseen-seen", "unseen-unseen")
    held_titles = titles(split, "seen-unseen", "unseen-unseen")
    assert held_students
    assert held_titles
    assert held_students.isdisjoint(students(split, *seen, "seen-unseen"))
    assert held_titles.isdisjoint(titles(split, *seen, "unseen-seen"))
    assert students(split, "seen-seen", "seen-unseen") <= students(split, "train")
    assert titles(split, "seen-seen", "unseen-seen") <= titles(split, "train")


def test_shares_are_about_right(dataset: Dataset) -> None:
    split = make_split(dataset, SplitConfig(held_students=0.2, held_titles=0, validation_share=0.1))
    counts = split.counts()
    rest = len(split.of) - counts["unseen-seen"]
    trained = counts["train"] + counts["validation"]
    assert 0.1 < len(students(split, "unseen-seen")) / 300 < 0.3
    assert trained / rest == pytest.approx(0.8, abs=0.03)
    assert counts["validation"] / trained == pytest.approx(0.1, abs=0.02)


def test_numbers_hold_out_exactly_that_many(dataset: Dataset) -> None:
    split = make_split(dataset, SplitConfig(held_students=7, held_titles=3))
    assert len(students(split, "unseen-seen", "unseen-unseen")) == 7
    assert len(titles(split, "seen-unseen", "unseen-unseen")) == 3


@pytest.mark.parametrize("rule", ["holdout", "released"])
def test_growth_moves_no_pair_across(rule: str, dataset: Dataset, tmp_path: Path) -> None:
    config = SplitConfig(rule=rule, held_students=0.1, held_titles=0.1)
    before = make_split(dataset, config).of
    after = make_split(make_dataset(tmp_path / "d", a_class(range(400), range(50))), config).of
    assert len(after) > len(before)
    trains = {"train", "validation"}
    assert all((after[pair] in trains) == (place in trains) for pair, place in before.items())
    if rule == "holdout":
        assert all(after[pair] == place or place == "unplaced" for pair, place in before.items())


def test_released_calls_rare_students_unseen(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", a_class(range(300), range(40), share=0.03))
    released = make_split(dataset, SplitConfig(rule="released", held_students=0, held_titles=0), "released")
    holdout = make_split(dataset, SplitConfig(held_students=0, held_titles=0), "holdout")
    assert released.counts()["unplaced"] == holdout.counts()["unseen-seen"] == 0
    unseen = students(released, "unseen-seen")
    assert unseen
    assert unseen.isdisjoint(students(released, "train"))
    assert students(released, "seen-seen") <= students(released, "train")
    for pair, place in holdout.of.items():  # nobody is held out: who isn't placed by one rule is unseen by the other
        assert released.of[pair] == place or (place == "unplaced" and "unseen" in released.of[pair].split("-"))


def test_forward_tests_each_students_latest_pairs(dataset: Dataset) -> None:
    split = make_split(dataset, SplitConfig(rule="forward", validation_share=0))
    starts = {trace.pair: known(trace.states[0].at) for trace in dataset.traces()}
    by_student: dict[str, dict[bool, list[datetime]]] = {}
    for pair, place in split.of.items():
        by_student.setdefault(pair.student, {True: [], False: []})[place == "train"].append(starts[pair])
    for sides in by_student.values():
        n = len(sides[True]) + len(sides[False])
        assert len(sides[False]) == int(0.2 * n + 0.5)
        if sides[False]:
            assert max(sides[True]) < min(sides[False])
    assert set(split.of.values()) <= {"train", "forward", "unplaced"}


def test_forward_corner_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def on(day: int, student: str, title: str) -> Trace:
        return make_trace(["fd 1"], student, title, DAY + timedelta(days=day))

    traces = [
        on(1, "alone", "a"),
        *[on(day, "five", title) for day, title in enumerate("abcde")],
        *[on(0, "tied", title) for title in "abcde"],
        *[on(day, "new title", title) for day, title in enumerate("abcdz")],
        replace(on(9, "five", "a"), sample=1),
        *[on(day, "e-er", title) for day, title in enumerate("eabcd")],
    ]
    untimed = make_trace(["fd 1"], "five", "untimed")
    traces.append(replace(untimed, states=(replace(untimed.states[0], at=None),)))
    split = make_split(make_dataset(tmp_path / "d", traces), SplitConfig(rule="forward", validation_share=0))
    tested = {pair: place for pair, place in split.of.items() if place != "train"}
    assert tested == {("five", "e"): "forward", ("e-er", "d"): "forward", ("new title", "z"): "unplaced"}
    make_split(make_dataset(tmp_path / "e", traces[:1]), SplitConfig(rule="forward"))
    assert "no pairs in" in capsys.readouterr().err
    with pytest.raises(InputError, match="needs times"):
        make_split(make_dataset(tmp_path / "f", traces[-1:]), SplitConfig(rule="forward"))


def test_test_pairs_without_training_are_unplaced(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", a_class(range(200), range(60), share=0.02))
    split = make_split(dataset, SplitConfig(held_students=0.1, held_titles=0.1))
    assert split.counts()["unplaced"]
    for pair, place in split.of.items():
        if place == "unplaced":
            assert pair.student not in students(split, "train") or pair.title not in titles(split, "train")


def test_samples_of_a_pair_stay_together(tmp_path: Path) -> None:
    traces = [replace(trace, sample=k) for trace in a_class(range(30), range(10)) for k in range(3)]
    dataset = make_dataset(tmp_path / "d", traces, origin="model")
    split = make_split(dataset, SplitConfig(held_students=2, held_titles=2))
    selected = Counter(trace.pair for trace in split.select(dataset.traces(), "train"))
    assert set(selected.values()) == {3}
    assert len(selected) == split.counts()["train"]


def test_select_is_lazy_ordered_and_leaves_strangers_out(dataset: Dataset) -> None:
    split = make_split(dataset, SplitConfig())
    stranger = make_trace(["fd 1"], student="nobody")
    chosen = list(split.select([*dataset.traces(), stranger], "validation", "seen-seen"))
    assert [trace.pair for trace in chosen] == [
        trace.pair for trace in dataset.traces() if split.of[trace.pair] in ("validation", "seen-seen")
    ]
    with pytest.raises(UsageError, match="Did you mean 'seen-seen'"):
        split.select([], "seen-sen")

    def endless() -> Iterator[Trace]:
        while True:
            yield chosen[0]

    assert next(split.select(endless(), *TEST_SPLITS, "validation")) == chosen[0]


def test_empty_splits_warn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = make_dataset(tmp_path / "d", a_class(range(30), range(1)))
    split = make_split(dataset, SplitConfig(held_titles=0.02, held_students=3))
    said = " ".join(capsys.readouterr().err.split())
    assert split.counts()["seen-unseen"] == 0
    assert "0.02 of 1 titles holds out none; held_titles = 1" in said
    assert "seen-unseen, unseen-unseen" in said


def test_a_share_that_rounds_to_one_or_more_holds_out_at_least_one_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tenth of 17 titles: each is drawn by itself, so that some seeds draw none, and two splits were empty."""
    traces = [make_trace(["a"], f"s{s:02d}", f"title {t}") for s in range(20) for t in range(17)]
    dataset = make_dataset(tmp_path / "d", traces)
    counts = []
    for seed in range(40):
        split = make_split(dataset, SplitConfig(held_titles=0.1, held_students=0.1, seed=seed), name=f"s{seed}")
        held = {pair.title for pair, place in split.of.items() if place in ("seen-unseen", "unseen-unseen")}
        counts.append(len(held))
        assert f"A share of 0.1 of 17 titles: {len(held)} held out." in capsys.readouterr().err
        assert split.counts()["seen-unseen"]
        assert split.counts()["unseen-seen"]
    assert min(counts) == 1
    assert 1 < sum(counts) / len(counts) < 2.5


def test_a_share_that_rounds_to_none_holds_out_none(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", a_class(range(5), range(12), share=1))
    for seed in range(20):
        split = make_split(dataset, SplitConfig(seed=seed), overwrite=True)
        assert not titles(split, "seen-unseen", "unseen-seen", "unseen-unseen")


def test_another_split_is_replaced_only_when_asked(dataset: Dataset) -> None:
    first = make_split(dataset, SplitConfig(held_students=0.1), "mine")
    file = dataset.path / "splits" / "mine.parquet"
    written = file.stat().st_mtime_ns
    assert make_split(dataset, SplitConfig(held_students=0.1), "mine").hash == first.hash
    assert file.stat().st_mtime_ns == written
    with pytest.raises(DatasetError, match=r"another split.*--overwrite"):
        make_split(dataset, SplitConfig(held_students=0.3), "mine")
    assert load_split(dataset, "mine").hash == first.hash
    second = make_split(dataset, SplitConfig(held_students=0.3), "mine", overwrite=True)
    assert load_split(dataset, "mine").hash == second.hash != first.hash


def test_assignments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"square": 50, "rare": 49, "first": 60, "untitled": 60, "myprogram": 60}
    traces = [make_trace(["fd 1"], f"s{i:02d}", title) for title, n in names.items() for i in range(n)]
    dataset = make_dataset(tmp_path / "d", traces)
    assert make_split(dataset, SplitConfig()).assignments == {"square"}
    assert make_split(dataset, SplitConfig(assignment_students=49), overwrite=True).assignments == {"square", "rare"}
    listed = tmp_path / "titles.txt"
    listed.write_text("first\n\n rare \nabsent\n")
    split = make_split(dataset, SplitConfig(titles_file=str(listed)), overwrite=True)
    assert split.assignments == {"first", "rare"}
    assert "1 of the 3 titles" in capsys.readouterr().err
    assert split.hash == make_split(dataset, SplitConfig(), overwrite=True).hash
    with pytest.raises(InputError, match="titles file"):
        make_split(dataset, SplitConfig(titles_file=str(tmp_path)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"rule": "holdot"},
        {"held_students": 1.5},
        {"held_titles": -0.1},
        {"train_share": 1.01},
        {"forward_share": -1},
        {"tested_students": 2},
        {"title_family": "("},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        SplitConfig(**wrong)


def test_missing_and_damaged_splits(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"redraft split .* --name absent"):
        load_split(dataset, "absent")
    folder = dataset.path / "splits"
    folder.mkdir()
    (folder / "bad.parquet").write_bytes(b"nonsense")
    write_table(pa.table({"student": ["s"]}), folder / "worse.parquet")
    for name in ("bad", "worse"):
        with pytest.raises(DatasetError, match="Make it again"):
            load_split(dataset, name)
    later = make_split(dataset, SplitConfig(), "later").table.replace_schema_metadata({"schema_version": "2"})
    write_table(later, folder / "later.parquet")
    with pytest.raises(DatasetError, match="Upgrade redraft"):
        load_split(dataset, "later")
    for name in ("../out", "", ".hidden", "a/b"):
        with pytest.raises(UsageError, match="can't name"):
            load_split(dataset, name)


def test_the_hash_ignores_how_the_file_is_written(dataset: Dataset) -> None:
    split = make_split(dataset, SplitConfig(), "rewritten")
    path = dataset.path / "splits" / "rewritten.parquet"
    table = pq.read_table(path)
    pq.write_table(table, path, compression="none", row_group_size=100)
    assert load_split(dataset, "rewritten").hash == split.hash
    moved = table.set_column(2, table.schema.field(2), [["forward", *table["split"].to_pylist()[1:]]])
    assert Split("x", moved, SplitConfig()).hash != split.hash


text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)


@given(st.sets(st.tuples(text, text), min_size=1, max_size=12), st.sampled_from(sorted(RULES)), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_any_ids_can_be_split(
    tmp_path_factory: pytest.TempPathFactory, pairs: set[tuple[str, str]], rule: str, seed: int
) -> None:
    dataset = make_dataset(tmp_path_factory.mktemp("any") / "d", [make_trace(["x"], *pair) for pair in pairs])
    config = SplitConfig(rule=rule, seed=seed, held_students=0.3, held_titles=0.3, validation_share=0.3)
    split = make_split(dataset, config)
    assert load_split(dataset).of == split.of
    assert split.of.keys() == {Pair(*pair) for pair in pairs}
    assert students(split, "seen-seen", "seen-unseen", "forward") <= students(split, "train")
    assert titles(split, "seen-seen", "unseen-seen", "forward") <= titles(split, "train")


def variants(folder: Path, origin: Origin) -> Dataset:
    """Thirty students on square, square2, square3, star ...: five assignments, three variants of each."""
    titles = [f"{base}{turn or ''}" for base in ("square", "star", "house", "race", "dice") for turn in (0, 2, 3)]
    return make_dataset(
        folder, [make_trace(["fd 1"], f"s{i:02d}", title) for i in range(30) for title in titles], origin
    )


def test_variants_of_a_title_are_held_out_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = SplitConfig(held_titles=2, held_students=0.1)
    simulated, real = variants(tmp_path / "a", "simulated"), variants(tmp_path / "b", "students")
    held = titles(make_split(simulated, config), "seen-unseen")
    assert len(held) == 6
    assert len({title.rstrip("23") for title in held}) == 2
    assert "15 titles are 5 families" in capsys.readouterr().err
    assert len(titles(make_split(real, config), "seen-unseen")) == 2  # a number in a real title may mean anything
    said = make_split(real, replace(config, title_family=r"\D+"), "families")
    assert titles(said, "seen-unseen") == held
    alone = make_split(simulated, replace(config, title_family=".*"), "alone")
    assert titles(alone, "seen-unseen") == titles(load_split(real), "seen-unseen")


def test_what_tested_students_are_like_is_known_from_other_titles(tmp_path: Path) -> None:
    dataset = variants(tmp_path / "d", "simulated")
    tested = {title for title in titles(make_split(dataset, SplitConfig()), *SPLITS) if title[:2] in ("st", "ho", "ra")}
    (tmp_path / "tested.txt").write_text("\n".join(tested))
    config = SplitConfig(tested_titles=str(tmp_path / "tested.txt"), held_titles=1, held_students=0, validation_share=0)
    split = make_split(dataset, config, "tested")
    assert titles(split, "seen-seen", "seen-unseen") == tested
    assert len(titles(split, "seen-unseen")) == 3  # a family
    assert not titles(split, "seen-unseen") & titles(split, "train", "seen-seen")
    assert titles(split, "seen-seen") < titles(split, "train")
    trained = {pair.student for pair, place in split.of.items() if place == "train" and pair.title in tested}
    assert not trained & students(split, "seen-seen")
    assert 8 < len(trained) < 22
    assert all(place == "train" for pair, place in split.of.items() if pair.title not in tested)


def test_a_split_made_before_there_were_more_settings_is_the_same(dataset: Dataset) -> None:
    split = make_split(dataset, SplitConfig(held_titles=3))
    path = dataset.path / "splits" / "default.parquet"
    about = {"schema_version": "1", "config": '{"rule": "holdout", "held_titles": 3}'}
    pq.write_table(split.table.replace_schema_metadata(about), path)
    before = path.read_bytes()
    assert make_split(dataset, SplitConfig(held_titles=3)).hash == split.hash
    assert path.read_bytes() == before
