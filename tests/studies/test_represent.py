"""The representations study on tiny models."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
import tomli_w
from sklearn.decomposition import PCA

from factories import make_dataset, make_trace
from known import known
from newcomers import newcomer_model
from redraft import results
from redraft.data.edits import EDIT_TYPES
from redraft.data.split import SplitConfig, make_split
from redraft.errors import DatasetError, InputError
from redraft.lm.checkpoint import load_model
from redraft.lm.embed import Reading, embed
from redraft.metrics.cka import debiased_cka
from redraft.plots.tables import number, with_interval
from redraft.results import Result
from redraft.studies.common.run import open_run
from redraft.studies.represent import chapter as report
from redraft.studies.represent import vectors as vectors_module
from redraft.studies.represent.directions import directions
from redraft.studies.represent.settings import RepresentConfig
from redraft.studies.represent.study import represent
from redraft.studies.represent.vectors import PREFIX, STATE, Vectors, read

CONFIG = RepresentConfig(traces=60, permutations=99, row_permutations=5, groups=10, components=4)
VIEWS = ("trace", "synthetic", "last")


class Studied(NamedTuple):
    run: Path
    rows: list[Result]


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Studied:
    folder = tmp_path_factory.mktemp("represent")
    rng = np.random.default_rng(0)
    traces = []
    for s in range(16):
        for t in range(6):
            lines = [f"fd {rng.integers(9)}"]
            codes = ["\n".join(lines)]
            for _ in range(int(rng.integers(1, 4))):
                kind = rng.integers(3)
                lines = [*lines[:-1], "bk 1"] if kind == 0 else lines + ["rt 9"] * (1 if kind == 1 else 5)
                codes.append("\n".join(lines))
            traces.append(make_trace(codes, f"s{s:02d}", f"t{t}"))
    dataset = make_dataset(folder / "class", traces, origin="simulated")
    split = make_split(dataset, SplitConfig(held_students=0, held_titles=0, train_share=0.5, validation_share=0.05))
    for view in VIEWS:
        newcomer_model(folder / "run/models" / view, dataset, split, view, steps=25, validate_every=25)
    (folder / "run/run.toml").write_text(tomli_w.dumps({"dataset": "../class", "views": list(VIEWS)}))
    return Studied(folder / "run", represent(folder / "run", CONFIG))


def find(rows: list[Result], metric: str, model: str, baseline: str | None = None, **condition: str) -> Result:
    (found,) = [
        row for row in rows
        if (row.metric, row.model, row.baseline, row.condition) == (metric, model, baseline, condition)
    ]  # fmt: skip
    return found


def test_likeness_is_that_of_the_embeddings(studied: Studied) -> None:
    vectors = read(open_run(studied.run), CONFIG)
    assert vectors.models == ["trace", "synthetic", "last", "untrained"]
    chosen = vectors.one_per_trace(CONFIG.seed)
    assert len(set(vectors.traces[chosen])) == len(chosen) == len(set(vectors.traces))
    for a, b in (("0", "1"), ("1", "1")):
        row = find(studied.rows, "cka", "trace", **{"with": "last", "layer": a, "with_layer": b})
        x, y = vectors.of["trace", PREFIX][int(a)][chosen], vectors.of["last", PREFIX][int(b)][chosen]
        assert row.value == pytest.approx(debiased_cka(x, y))
        assert row.low is not None
        assert row.high is not None
        assert row.low < known(row.value) < row.high
        assert row.p is None
        assert (row.n, row.clusters, row.origin) == (len(chosen), "student", "simulated")
        chance = find(studied.rows, "cka", "trace", "permuted", **{"with": "last", "layer": a, "with_layer": b})
        assert abs(known(chance.value)) < 0.1
        assert "permutations" in (chance.note or "")
    last = find(studied.rows, "cka", "last", "synthetic", **{"with": "trace", "layer": "last"})
    sides = [
        known(find(studied.rows, "cka", "trace", **{"with": name, "layer": "1", "with_layer": "1"}).value)
        for name in ("last", "synthetic")
    ]
    assert last.statistic == "value_difference"
    assert last.value == pytest.approx(sides[0] - sides[1])
    assert last.p_adjusted is not None
    alone = find(
        studied.rows, "cka", "trace", **{"with": "trace", "layer": "1", "with_layer": "1", "readings": "prefix, state"}
    )
    assert 0 < known(alone.value) < 1


def test_vectors_are_of_the_states_they_say(studied: Studied) -> None:
    run = open_run(studied.run)
    vectors = read(run, CONFIG)
    traces = {(t.student, t.title): t for t in run.dataset.traces()}
    model = load_model(studied.run / "models/synthetic")
    for m in (0, 7, len(vectors.traces) - 1):
        trace = traces[str(vectors.students[m]), str(vectors.titles[m])]
        assert run.split.of[trace.pair] == "seen-seen"
        step = int(vectors.steps[m])
        (whole,) = embed(model, [Reading(trace=trace, voice=trace.student, steps=(step,))])
        np.testing.assert_allclose(vectors.of["synthetic", PREFIX][-1][m], whole, atol=1e-5)
        one = replace(trace, states=(trace.states[step - 1],))
        (alone,) = embed(model, [Reading(trace=one, voice=trace.student, steps=(1,))])
        np.testing.assert_allclose(vectors.of["synthetic", STATE][-1][m], alone, atol=1e-5)
        assert (vectors.edits[m] == -1) == (step == 1)
    assert {EDIT_TYPES[kind] for kind in vectors.edits if kind >= 0} >= {"large_add", "small_add", "modify"}


def test_directions_are_those_of_sklearns_pca(studied: Studied) -> None:
    vectors = read(open_run(studied.run), CONFIG)
    for way, condition in ((PREFIX, {}), (STATE, {"inputs": "state"})):
        steps = vectors.differences("last", way)
        pca = PCA(4).fit(steps)
        for component in range(4):
            row = find(studied.rows, "variance_share", "last", component=str(component + 1), **condition)
            assert row.value == pytest.approx(pca.explained_variance_ratio_[component], rel=1e-3)
        both = find(studied.rows, "components_2", "last", **condition)
        assert both.value == pytest.approx(pca.explained_variance_ratio_[:2].sum(), rel=1e-3)
        assert both.n == len(steps) == (np.diff(vectors.traces) == 0).sum()
    apart = find(studied.rows, "components_2", "trace", "last")
    sides = [known(find(studied.rows, "components_2", name).value) for name in ("trace", "last")]
    assert apart.value == pytest.approx(sides[0] - sides[1])
    assert apart.p is not None


def test_kinds_of_edit_are_told_where_they_differ_and_not_where_permuted(studied: Studied) -> None:
    alone = find(studied.rows, "edit_type_separation", "trace", "permuted", inputs="state")
    assert alone.p == pytest.approx(1 / 100)  # five added lines move a vector farther than a changed one
    assert alone.low is not None
    assert "within students" in (alone.test or "")
    vectors = read(open_run(studied.run), CONFIG)
    rng = np.random.default_rng(1)
    later = vectors.later
    shuffled = vectors.edits.copy()
    shuffled[later] = rng.permutation(shuffled[later])
    null = directions(replace(vectors, edits=shuffled), CONFIG)
    assert min(found.p for found in null.separations.values()) > 0.02


def test_points_are_drawn_without_students(studied: Studied) -> None:
    points = pq.read_table(studied.run / "points-represent-steps.parquet")
    assert points.column_names == ["model", "inputs", "x", "y", "edit"]
    assert set(points["model"].to_pylist()) == {*VIEWS, "untrained"}
    assert set(points["edit"].to_pylist()) <= set(EDIT_TYPES)


def test_again_is_read_from_what_was_kept(studied: Studied, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("embedded again")

    monkeypatch.setattr(vectors_module, "embed", never)
    assert represent(studied.run, CONFIG) == studied.rows == results.read(studied.run / "results" / "represent.parquet")
    with pytest.raises(AssertionError, match="embedded again"):
        represent(studied.run, replace(CONFIG, traces=50))


# What is shown


def test_figures_show_controls_n_and_origin(studied: Studied, tmp_path: Path) -> None:
    represent(studied.run, CONFIG)
    shown = {figure.name: figure for figure in report.figures(studied.run)}
    assert list(shown) == ["represent-likeness", "represent-variance", "represent-steps"]
    for figure in shown.values():
        assert "Simulated class: class" in figure.svg
        assert "n = " in figure.svg
        assert "(control)" in figure.svg
    chance = find(studied.rows, "edit_type_separation", "trace", "permuted")
    whole = find(studied.rows, "edit_type_separation", "trace")
    assert f"permuted {number(known(whole.value) - known(chance.value))}" in shown["represent-steps"].svg
    likeness, steps = report.tables(studied.run)
    row = find(studied.rows, "cka", "trace", **{"with": "synthetic", "layer": "1", "with_layer": "1"})
    assert likeness.rows[0][:2] == ("trace", "synthetic")
    assert likeness.rows[0][3] == with_interval(row)
    assert "last − synthetic" in likeness.caption
    assert [line[:2] for line in steps.rows[:2]] == [("trace", "with its past"), ("trace", "a state alone")]
    assert any("components_2, trace − last" in line for line in report.sentences(studied.rows))
    assert not report.figures(tmp_path)
    assert not report.tables(tmp_path)


def test_what_is_missing_is_said_in_the_tables(studied: Studied) -> None:
    represent(studied.run, replace(CONFIG, splits=("forward",)))
    assert report.figures(studied.run) == []
    likeness, steps = report.tables(studied.run)
    assert "too few inputs" in likeness.caption
    assert "Not enough data: 0 steps" in steps.caption


# Too little, and wrong


def test_no_traces_and_one_student_are_answers(studied: Studied) -> None:
    nothing = represent(studied.run, replace(CONFIG, splits=("forward",)))
    assert nothing
    assert all(row.value is None and row.n == 0 and row.reason for row in nothing)
    vectors = read(open_run(studied.run), CONFIG)
    mine = vectors.students == vectors.students[0]
    one = replace(
        vectors, of={key: of[:, mine] for key, of in vectors.of.items()},
        **{name: getattr(vectors, name)[mine] for name in ("traces", "steps", "students", "titles", "edits")},
    )  # fmt: skip
    found = directions(one, CONFIG)
    assert len(found.jackknife.without) == 0


def test_states_without_a_follower_have_no_difference() -> None:
    vectors = Vectors(
        of={("trace", PREFIX): np.arange(12, dtype=np.float32).reshape(1, 6, 2)}, traces=np.array([0, 0, 0, 1, 2, 2]),
        steps=np.array([1, 2, 4, 1, 1, 2]), students=np.array(["a"] * 6), titles=np.array(["t"] * 6),
        edits=np.array([-1, 1, 1, -1, -1, 1]), left_out=1,
    )  # fmt: skip
    assert vectors.later.tolist() == [1, 5]
    assert vectors.differences("trace", PREFIX).tolist() == [[2, 2], [2, 2]]


def test_what_cannot_be_is_said(studied: Studied, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no model of nothing"):
        represent(studied.run, replace(CONFIG, views=("nothing",)))
    with pytest.raises(InputError, match="seen-seen"):
        RepresentConfig(splits=("seen-sen",))
    with pytest.raises(InputError, match="traces"):
        RepresentConfig(traces=0)
    other = make_dataset(tmp_path / "other", [make_trace(["fd 1"], f"s{i}", t) for i in range(4) for t in "ab"])
    make_split(other, SplitConfig(held_students=0, held_titles=0))
    (tmp_path / "run/models").mkdir(parents=True)
    shutil.copytree(studied.run / "models/trace", tmp_path / "run/models/trace")
    (tmp_path / "run/run.toml").write_text('dataset = "../other"\n')
    with pytest.raises(DatasetError, match="another split"):
        represent(tmp_path / "run", CONFIG)
