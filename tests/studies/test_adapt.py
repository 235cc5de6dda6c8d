"""The adaptation study on classes whose truth is known: students who differ strongly, and students who don't."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
import tomli_w

from factories import make_dataset, make_trace
from known import known
from newcomers import newcomer_class, newcomer_model
from redraft import results
from redraft.data.split import SplitConfig, load_split, make_split
from redraft.data.store import open_dataset
from redraft.data.trace import Trace
from redraft.errors import DatasetError, InputError
from redraft.lm.checkpoint import load_model
from redraft.lm.model import StudentIndex
from redraft.lm.settings import SampleConfig
from redraft.results import Result
from redraft.studies.adapt import fits as fits_module
from redraft.studies.adapt.newcomers import newcomers, partners
from redraft.studies.adapt.settings import AdaptConfig
from redraft.studies.adapt.study import adapt
from redraft.studies.common.run import open_run

CONFIG = AdaptConfig(
    min_traces=9, fewest_students=0, ks=(0, 1, 2, 4), plateau=(2, 4), tuning_share=0.1, lrs=(5e-2,), max_epochs=12, patience=3, seeds=2,
    sampled_pairs=2, sampled_ks=(0, 1, 4), sample=SampleConfig(per_pair=1, rounds=1), replicates=400,
    metrics=("attempts", "colours_final", "year_final"),
)  # fmt: skip


def make_run(folder: Path, *, differ: bool) -> Path:
    dataset, split = newcomer_class(folder / "class", differ=differ)
    newcomer_model(folder / "run/models/trace", dataset, split)
    settings = {"dataset": "../class", "split": "default", "views": ["trace"]}
    (folder / "run/run.toml").write_text(tomli_w.dumps(settings))
    return folder / "run"


class Adapted(NamedTuple):
    run: Path
    rows: list[Result]


@pytest.fixture(scope="module")
def differing(tmp_path_factory: pytest.TempPathFactory) -> Adapted:
    run = make_run(tmp_path_factory.mktemp("differ"), differ=True)
    return Adapted(run, adapt(run, CONFIG))


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Adapted:
    run = make_run(tmp_path_factory.mktemp("alike"), differ=False)
    return Adapted(run, adapt(run, CONFIG))


def one(rows: list[Result], metric: str, statistic: str, k: int | None, baseline: str | None = None) -> Result:
    condition = {} if k is None else {"k": str(k)}
    (found,) = [
        row for row in rows
        if (row.metric, row.statistic, row.condition, row.baseline) == (metric, statistic, condition, baseline)
    ]  # fmt: skip
    return found


def test_own_traces_are_worth_more_than_anothers_where_students_differ(differing: Adapted) -> None:
    rows = differing.rows
    for metric in ("bits_per_trace", "bits_per_character"):
        for k in (1, 2, 4):
            for baseline in ("other-student", "mean-vector", "k=0"):
                row = one(rows, metric, "mean_difference", k, baseline)
                assert row.high is not None
                assert row.high < 0, (k, baseline)
                assert row.p_adjusted is not None
                assert row.p_adjusted < 0.05
                assert (row.clusters, row.origin, row.model, row.split) == ("student", "simulated", "trace", None)
    after_4, after_none = (known(one(rows, "bits_per_trace", "mean", k).value) for k in (4, 0))
    assert after_4 < after_none - 1


def test_contrasts_are_the_differences_of_the_means(differing: Adapted) -> None:
    rows = differing.rows
    for baseline, k in (("other-student", 2), ("mean-vector", 2), ("k=0", 2), ("k=2", 4)):
        mine = known(one(rows, "bits_per_trace", "mean", k).value)
        of = {"k=0": (0, None), "k=2": (2, None), "mean-vector": (None, baseline)}.get(baseline, (k, baseline))
        theirs = known(one(rows, "bits_per_trace", "mean", *of).value)
        contrast = one(rows, "bits_per_trace", "mean_difference", k, baseline)
        assert contrast.value == pytest.approx(mine - theirs)
        assert contrast.n == contrast.n_students == 22


def test_a_neural_cache_is_worth_something_where_students_differ_and_adds_to_the_vector(differing: Adapted) -> None:
    rows = {
        (row.condition["way"], row.condition["k"], row.baseline): row
        for row in differing.rows if row.metric == "bits_per_trace" and "way" in row.condition
    }  # fmt: skip
    assert {way for way, _, _ in rows} == {"cache", "vector and cache"}
    for k in ("1", "2", "4"):
        for way in ("cache", "vector and cache"):
            saved = rows[way, k, "k=0"]
            assert saved.high is not None
            assert saved.high < 0, (way, k)
            begun = known(one(differing.rows, "bits_per_trace", "mean", 0).value)
            assert saved.value == pytest.approx(known(rows[way, k, None].value) - begun)
        own = known(one(differing.rows, "bits_per_trace", "mean", int(k)).value)
        assert rows["vector and cache", k, "own"].value == pytest.approx(
            known(rows["vector and cache", k, None].value) - own
        )


def test_where_students_are_alike_no_difference_is_found(alike: Adapted) -> None:
    rows = alike.rows
    for k in (1, 2, 4):
        row = one(rows, "bits_per_trace", "mean_difference", k, "other-student")
        assert row.low is not None
        assert row.high is not None
        assert -0.2 < row.low < row.high < 0.2  # bits; own vectors save whole bits where students differ
    primary = [row for row in rows if row.metric == "bits_per_trace" and row.baseline == "other-student" and row.family]
    assert len(primary) == 3
    assert all(row.p_adjusted is not None and row.p_adjusted > 0.05 for row in primary)


def test_generated_programs_come_nearer_where_students_differ_only(differing: Adapted, alike: Adapted) -> None:
    row = one(differing.rows, "bleu_final", "mean_difference", 4, "other-student")
    assert row.low is not None
    assert row.low > 0.1
    assert row.clusters == "student (conditional)"
    assert known(one(differing.rows, "bleu_final", "mean_difference", 1, "k=0").value) > 0.1
    null = one(alike.rows, "bleu_final", "mean_difference", 4, "other-student")
    assert null.p_adjusted is None or null.p_adjusted > 0.05
    constant = one(differing.rows, "attempts", "pooled_r", 4)
    assert constant.value is None
    assert "constant" in (constant.reason or "")


def test_the_tuning_students_choose_and_are_not_evaluated(differing: Adapted) -> None:
    rows = [row for row in differing.rows if row.metric == "fit_epochs"]
    assert [row.condition["k"] for row in rows] == ["1", "2", "4"]
    assert all(1 <= known(row.value) <= 12 and row.n == 2 and row.condition["lr"] == "0.05" for row in rows)
    run = open_run(differing.run)
    new = newcomers(run, load_model(differing.run / "models/trace").students, CONFIG)
    assert not set(new.tuning) & set(new.evaluated)
    assert (len(new.tuning), len(new.evaluated), new.found) == (2, 22, 24)
    for traces in new.evaluated.values():
        times = [known(trace.states[0].at) for trace in traces]
        assert times == sorted(times)
        assert {run.split.of[trace.pair] for trace in traces} == {"unseen-seen"}


def test_a_second_run_reads_what_is_done_and_gives_the_same(
    differing: Adapted, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = sorted((differing.run / "work").rglob("*.parquet"))
    assert any(file.name.startswith("bits-4") for file in work)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("fitted again")

    monkeypatch.setattr(fits_module, "fitting", never)
    monkeypatch.setattr(fits_module, "bits_of", never)
    assert adapt(differing.run, CONFIG) == differing.rows == results.read(differing.run / "results" / "adapt.parquet")
    with pytest.raises(AssertionError, match="fitted again"):
        adapt(differing.run, replace(CONFIG, batch=16))
    assert not any(file.exists() for file in work)  # what was made for other settings is gone


def test_points_name_no_students(alike: Adapted) -> None:
    points = pq.read_table(alike.run / "points-adapt-students.parquet")
    assert points.column_names == ["model", "student", "k", "voice", "bits"]
    assert sorted(set(points["student"].to_pylist())) == list(range(22))
    own = [row["bits"] for row in points.to_pylist() if (row["voice"], row["k"]) == ("own", 2)]
    assert np.mean(own) == pytest.approx(one(alike.rows, "bits_per_trace", "mean", 2).value)


def test_random_beginnings_and_whole_modules(alike: Adapted, tmp_path: Path) -> None:
    """The paper's way: an untrained row for each seed, the module's weights learn too."""
    (tmp_path / "run/models").mkdir(parents=True)
    shutil.copytree(alike.run / "models/trace", tmp_path / "run/models/trace")
    settings = {"dataset": str((alike.run / "../class").resolve()), "split": "default"}
    (tmp_path / "run/run.toml").write_text(tomli_w.dumps(settings))
    config = replace(CONFIG, start="random", trains="mlp", sampled_ks=(4,), ks=(0, 2, 4), max_epochs=4, students=6)
    rows = adapt(tmp_path / "run", config)
    points = pq.read_table(next((tmp_path / "run/work").rglob("bits-0.parquet"))).to_pylist()
    begun = {(p["student"], p["seed"]): p["bits"] for p in points if p["voice"] == "own"}
    assert len(begun) == 12
    assert all(begun[student, 0] != begun[student, 1] for student in range(6))
    assert one(rows, "bits_per_trace", "mean", 4).n == 6
    assert one(rows, "bits_per_trace", "mean", 4).reason == "no interval: 6 students"
    assert one(rows, "bleu_final", "mean_difference", 4, "other-student").value is not None


# Too few, and wrong


def test_too_few_students_is_an_answer(alike: Adapted) -> None:
    rows = adapt(alike.run, replace(CONFIG, min_traces=20))
    assert rows
    assert all(row.value is None and row.n == 0 for row in rows)
    assert all("not enough data: 0 new students have enough traces" in (row.reason or "") for row in rows)
    addresses = {(row.metric, row.statistic, row.baseline, row.condition.get("k")) for row in rows}
    assert ("bits_per_trace", "mean_difference", "other-student", "4") in addresses
    assert ("bleu_final", "mean_difference", "k=2", "4") not in addresses  # k = 2 isn't generated
    assert rows == results.read(alike.run / "results" / "adapt.parquet")


def test_fewer_traces_are_asked_for_where_too_few_students_have_as_many(alike: Adapted) -> None:
    run = open_run(alike.run)
    as_asked = newcomers(run, StudentIndex([]), CONFIG)
    lowered = newcomers(run, StudentIndex([]), replace(CONFIG, min_traces=20, fewest_students=as_asked.found))
    assert lowered.found >= as_asked.found > 0
    assert lowered.lowered is not None
    assert lowered.lowered.endswith("traces per student, as too few have 20")
    none = newcomers(
        run,
        StudentIndex([]),
        replace(CONFIG, min_traces=200, ks=(0, 190), plateau=(0, 190), sampled_ks=(), fewest_students=50),
    )
    assert none.found == 0  # never lowered so far that nothing is left to test


def test_a_model_of_another_split_is_refused_and_no_model_said(alike: Adapted, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no model of last"):
        adapt(alike.run, replace(CONFIG, views=("last",)))
    traces = [make_trace(["fd 1"], f"s{i}", t) for i in range(4) for t in ("a", "b")]
    other = make_dataset(tmp_path / "other", traces)
    make_split(other, SplitConfig(held_students=1, held_titles=0))
    (tmp_path / "run/models").mkdir(parents=True)
    shutil.copytree(alike.run / "models/trace", tmp_path / "run/models/trace")
    (tmp_path / "run/run.toml").write_text('dataset = "../other"\n')
    with pytest.raises(DatasetError, match="another split"):
        adapt(tmp_path / "run", CONFIG)


def test_stand_ins_are_others_of_the_same_year() -> None:
    def began(year: int) -> list[Trace]:
        return [make_trace(["fd 1"], start=known(make_trace(["x"]).states[0].at).replace(year=year))]

    of = {f"s{i}": began(2018 + i % 3) for i in range(9)} | {"lonely": began(2024)}
    for seed in range(5):
        partner, strangers = partners(of, seed)
        assert strangers == 1
        assert all(partner[i] != i for i in range(10))
        assert all(partner[i] % 3 == i % 3 for i in range(9))
    assert partners({"a": began(2018), "b": began(2020)}, 0)[0].tolist() == [1, 0]


def test_settings_that_make_no_sense_are_named() -> None:
    for wrong, said in (
        ({"min_traces": 10}, "leaves nothing to test"), ({"metrics": ("attempt",)}, "Did you mean 'attempts'"),
        ({"split": "unseen-sen"}, "unseen-seen"), ({"plateau": (3, 11)}, "plateau"), ({"seeds": 0}, "seeds"),
        ({"sampled_ks": (3, 11)}, "sampled_ks"), ({"lrs": ()}, "lrs"), ({"ks": (-1, 2)}, "ks"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            AdaptConfig(**wrong)


def test_students_without_times_are_left_out(tmp_path: Path) -> None:
    whole = [make_trace(["fd 1"], f"s{i}", f"t{j}") for i in range(6) for j in range(4)]
    timeless = [
        replace(t, states=tuple(replace(s, at=None) for s in t.states)) if t.student == "s1" else t for t in whole
    ]
    dataset = make_dataset(tmp_path / "d", timeless)
    make_split(dataset, SplitConfig(held_students=5, held_titles=0, train_share=1))
    (tmp_path / "run.toml").write_text('dataset = "d"\n')
    config = AdaptConfig(min_traces=3, ks=(0, 1, 2), plateau=(1, 2), sampled_ks=())
    held = {p.student for p, place in load_split(open_dataset(tmp_path / "d")).of.items() if place == "unseen-seen"}
    new = newcomers(open_run(tmp_path), StudentIndex([]), config)
    assert new.without_times == ("s1" in held)
    assert new.found == len(held) - new.without_times
