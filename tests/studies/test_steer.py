"""The steering study, on a class where each student writes in one colour, and one where nobody differs."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tomli_w

from factories import make_dataset, make_trace
from known import known
from newcomers import TITLES, colour_of, newcomer_class, newcomer_model
from redraft import results
from redraft.data.split import TRAIN, load_split
from redraft.data.store import open_dataset
from redraft.errors import InputError
from redraft.lm.checkpoint import load_model
from redraft.results import Result
from redraft.studies.common.findings import sentences
from redraft.studies.common.run import open_run
from redraft.studies.steer import chapter as report
from redraft.studies.steer.chosen import choose
from redraft.studies.steer.settings import SteerConfig
from redraft.studies.steer.study import steer
from redraft.studies.steer.targets import amounts, target_named

CONFIG = SteerConfig(
    targets=("colour:red", "functions_final"), students=7, traces=6, per_pair=1, replicates=600, workers=1
)


class Studied(NamedTuple):
    run: Path
    rows: list[Result]


def study(folder: Path, *, differ: bool, config: SteerConfig = CONFIG) -> Studied:
    dataset, split = newcomer_class(folder / "class", differ=differ, students=60, held=0)
    newcomer_model(folder / "run/models/trace", dataset, split)
    (folder / "run/run.toml").write_text(tomli_w.dumps({"dataset": "../class", "views": ["trace"]}))
    return Studied(folder / "run", steer(folder / "run", config))


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Studied:
    return study(tmp_path_factory.mktemp("steer"), differ=True)


def find(rows: list[Result], metric: str, baseline: str | None = None, **condition: str) -> Result:
    (found,) = [row for row in rows if (row.metric, row.baseline, row.condition) == (metric, baseline, condition)]
    return found


def test_vectors_of_students_who_use_a_colour_make_the_model_use_it(studied: Studied) -> None:
    apart = find(studied.rows, "colour:red", voice="most", against="least")
    assert apart.value is not None
    assert apart.low is not None
    assert apart.value > 0.75  # students write it three times in a program, or never
    assert apart.low > 0
    assert apart.p is not None
    assert apart.p < 0.05
    assert apart.effect_size is not None
    assert apart.effect_size > 1
    assert (apart.n_students, apart.n_titles) == (14, len(TITLES))
    assert apart.clusters == "student (conditional)"  # nine titles are too few to resample
    assert find(studied.rows, "colour:red", "training-traces", voice="most").value == 3
    assert find(studied.rows, "colour:red", "training-traces", voice="least").value == 0


def test_values_are_means_over_cells_of_the_samples(studied: Studied) -> None:
    (kept,) = (studied.run / "work" / "steer").glob("*/samples")
    run = open_run(studied.run)
    model = load_model(studied.run / "models/trace")
    chosen = choose(run, model, [target_named(name) for name in CONFIG.targets], CONFIG)
    cells = defaultdict(list)
    for trace in open_dataset(kept).traces():
        cells[trace.student, trace.title].append(trace.final.code.split().count("red"))

    def by(students: tuple[str, ...]) -> float:
        return float(np.mean([np.mean(found) for (student, _), found in cells.items() if student in students]))

    ends = chosen.ends["colour:red"]
    assert {colour_of(student) for student in ends.most} == {"red"}
    assert "red" not in {colour_of(student) for student in ends.least}
    assert find(studied.rows, "colour:red", voice="most").value == pytest.approx(by(ends.most))
    apart = find(studied.rows, "colour:red", voice="most", against="least")
    # every student writes on every title, so that the difference of means is that of cells
    assert apart.value == pytest.approx(by(ends.most) - by(ends.least))
    unknown = [np.mean(found) for (student, _), found in cells.items() if student.startswith("unknown-")]
    assert find(studied.rows, "colour:red", voice="unknown").value == pytest.approx(np.mean(unknown))


def test_steering_says_whether_programs_still_run(studied: Studied) -> None:
    ran = find(studied.rows, "executes", target="colour:red", voice="most")
    assert ran.value is not None
    assert 0 <= ran.value <= 1
    find(studied.rows, "executes", target="colour:red", voice="most", against="unknown")


def test_what_nobody_does_is_unscored(studied: Studied) -> None:
    mine = [row for row in studied.rows if "functions_final" in (row.metric, row.condition.get("target"))]
    assert {row.value for row in mine} == {None}
    assert all((row.reason or "").endswith("too few students stand out in it") for row in mine)


def test_students_who_do_not_differ_are_not_told_apart(tmp_path: Path) -> None:
    rows = study(tmp_path, differ=False).rows
    done = [known(find(rows, "colour:red", "training-traces", voice=voice).value) for voice in ("most", "least")]
    assert done[0] > done[1]  # chosen by chance, they differ where they were chosen
    apart = find(rows, "colour:red", voice="most", against="least")
    assert apart.value is not None
    assert apart.p is not None
    assert abs(apart.value) < 0.5
    assert apart.p > 0.01


def test_test_traces_choose_nobody(tmp_path: Path) -> None:
    dataset, split = newcomer_class(tmp_path / "class", differ=True, students=60, held=0)
    newcomer_model(tmp_path / "model", dataset, split, steps=1, validate_every=1)
    model, targets = load_model(tmp_path / "model"), [target_named("colour:red")]
    held = [pair for pair, place in split.of.items() if place != TRAIN]
    assert held
    loud = make_dataset(
        tmp_path / "loud",
        [make_trace(["dot red\n" * 500], trace.student, trace.title) if trace.pair in held else trace
         for trace in dataset.traces()],
        "simulated",
    )  # fmt: skip
    (tmp_path / "loud/splits").mkdir()
    (tmp_path / "loud/splits/default.parquet").write_bytes((tmp_path / "class/splits/default.parquet").read_bytes())
    found = []
    for name, of in (("class", dataset), ("loud", loud)):
        run = tmp_path / f"run-{name}"
        run.mkdir()
        (run / "run.toml").write_text(tomli_w.dumps({"dataset": f"../{name}", "views": ["trace"]}))
        assert load_split(of, "default").hash == split.hash
        found.append(choose(open_run(run), model, targets, CONFIG))
    assert found[0] == found[1]


def test_killed_study_draws_nothing_again(studied: Studied, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr("redraft.lm.sample.generate", fail)
    assert steer(studied.run, CONFIG) == studied.rows == results.read(studied.run / "results/steer.parquet")


def test_too_few_students_are_an_answer(studied: Studied, tmp_path: Path) -> None:
    dataset, split = newcomer_class(tmp_path / "class", students=8, held=0)
    newcomer_model(tmp_path / "run/models/trace", dataset, split, steps=1, validate_every=1)
    (tmp_path / "run/run.toml").write_text(tomli_w.dumps({"dataset": "../class", "views": ["trace"]}))
    rows = steer(tmp_path / "run", CONFIG)
    assert {row.value for row in rows} == {None}
    assert all("too few students" in (row.reason or "") for row in rows)
    assert report.figures(tmp_path / "run") == []
    assert "too few students" in report.tables(tmp_path / "run")[0].caption
    assert all("not testable" in sentence for sentence in sentences(rows))


def test_report_shows_every_hand_and_what_students_do(studied: Studied) -> None:
    (figure,) = report.figures(studied.run)
    for word in ("least", "unknown", "most", "occurrences of red", "Simulated class"):
        assert word in figure.svg
    assert figure.points.num_rows == 5  # three voices, and two sides' training traces; functions are unscored
    (table,) = report.tables(studied.run)
    assert [row[0] for row in table.rows] == ["occurrences of red", "functions"]
    said = report.sentences(studied.rows)
    assert said[0].startswith("Simulated class: class. occurrences of red: most − least")
    assert "unscored" in said[1]


def value(name: str, code: str) -> float:
    return amounts(make_trace([code]), [target_named(name)])[0]


def test_targets_worked_out_by_hand() -> None:
    assert value("speed", "speed 4\nfd 10") == 2
    assert value("speed", "speed 4\nspeed 16") == 4  # the last
    assert value("speed", "speed Infinity") == value("speed", "speed 5000") == pytest.approx(math.log2(1000))
    assert value("speed", "t.speed(8)") == 3
    assert math.isnan(value("speed", "fd 100"))
    assert math.isnan(value("speed", "speed 0"))
    assert value("colour:red", "pen red\ndot red, 10\npen 'darkred'") == 2
    assert value("other_script", "write 'καλό'") == 1
    assert value("other_script", "write 'abαβ' # été") == pytest.approx(2 / 7)
    assert math.isnan(value("other_script", "fd 100 * γ"))  # neither string nor comment
    assert value("comments_final", "# a\n# b\nfd 1") == 2


def test_unknown_targets_are_refused() -> None:
    with pytest.raises(InputError, match="colour:redd"):
        SteerConfig(targets=("colour:redd",))
    with pytest.raises(InputError, match="titles"):
        SteerConfig(titles=0)
