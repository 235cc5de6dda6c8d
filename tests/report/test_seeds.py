"""Runs with different seeds beside one another."""

from __future__ import annotations

import csv
import shutil
import tomllib
from pathlib import Path

import pytest
import tomli_w

from fabricate import make_run
from redraft import results
from redraft.cli import studies as commands
from redraft.data.store import Origin
from redraft.errors import DatasetError, UsageError
from redraft.report.seeds import Repeated, compare_seeds
from redraft.studies.behaviour.study import behaviour


def seeded(folder: Path, seed: int, **changes: object) -> Path:
    """Give a run another seed and other settings, and evaluate it."""
    settings = tomllib.loads((folder / "run.toml").read_text())
    settings["behaviour"]["seed"] = seed
    (folder / "run.toml").write_text(tomli_w.dumps({**settings, "seed": seed, **changes}))
    behaviour(folder)
    return folder


def pair_of_runs(folder: Path, origin: Origin, replicates: int = 2000) -> list[Path]:
    """One whose trace model knows the students, one whose trace model draws from another student's habits."""
    made = []
    for seed, shuffled in ((2, True), (1, False)):
        (folder / str(seed)).mkdir()
        made.append(seeded(make_run(folder / str(seed), origin=origin, shuffled=shuffled, replicates=replicates), seed))
    return made


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return pair_of_runs(tmp_path_factory.mktemp("seeds"), "students")


@pytest.fixture(scope="module")
def found(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Repeated], Path]:
    out = tmp_path_factory.mktemp("out")
    return compare_seeds(runs, out), out


def named(found: list[Repeated], name: str) -> Repeated:
    return next(one for one in found if one.claim.name == name)


def test_a_claim_has_every_runs_own_estimate(runs: list[Path], found: tuple[list[Repeated], Path]) -> None:
    one = named(found[0], "comments-last")
    assert list(one.verdicts) == [1, 2]  # in the order of seeds, not of the folders given
    for seed, run in ((1, runs[1]), (2, runs[0])):
        rows = results.read(run / "results" / "behaviour.parquet")
        expected = one.claim.find(rows)
        assert one.verdicts[seed].row == expected
    assert not one.agreed  # only the trace model of seed 1 knows whose comments are whose
    assert one.verdicts[1].outcome == "supported"
    assert one.outcomes == "supported: 1 of 2; inconclusive: 1 of 2"


def test_page_says_every_estimate_the_spread_and_what_seeds_disagree_on(found: tuple[list[Repeated], Path]) -> None:
    page = (found[1] / "seeds.md").read_text()
    one = named(found[0], "comments-last")
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {one.claim.about} |")]
    a, b = one.values
    mean, sd = (a + b) / 2, abs(a - b) / 2**0.5
    assert f"{mean:.2f} ({sd:.2f})".replace("-", "−") in line
    assert "Students" in page.splitlines()[2]
    assert "| seed 1 | seed 2 |" in page
    assert one.outcomes in line


def test_figure_shows_every_seed_in_smallest_differences_of_interest(found: tuple[list[Repeated], Path]) -> None:
    svg = (found[1] / "figures" / "seeds-behaviour.svg").read_text()
    assert "seed 1" in svg
    assert "seed 2" in svg
    assert "Students: class" in svg  # says whose programs
    with (found[1] / "seeds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    one = named(found[0], "comments-last")
    mine = [row for row in rows if row["metric"] == one.claim.metric and row["statistic"] == one.claim.row_statistic
            and row["split"] == one.claim.split and (row["model"], row["baseline"]) == (one.claim.model, one.claim.against)]  # fmt: skip
    assert [float(row["value"]) for row in mine if row["condition"] in ("run_seed=1", "run_seed=2")] == one.values


def test_simulated_classes_support_nothing(tmp_path: Path) -> None:
    found = compare_seeds(pair_of_runs(tmp_path, "simulated", replicates=200), tmp_path / "out")
    assert not any(word in one.outcomes for one in found for word in ("supported", "contradicted"))


def test_settings_that_differ_beside_the_seed_are_named(runs: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "2" / "run"
    shutil.copytree(runs[0].parent, other.parent)
    seeded(other, 3, max_pairs=12)
    compare_seeds([runs[1], other], tmp_path / "out")
    rows = [row for row in results.read(other / "results/behaviour.parquet") if row.n == 0]
    results.write(rows, other / "results/behaviour.parquet")  # a seed without a single estimate has no dots
    compare_seeds([runs[1], other], tmp_path / "out")
    assert "`max_pairs` (–, 12)" in (tmp_path / "out" / "seeds.md").read_text()


def test_command_prints_what_seeds_disagree_on(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.seeds(*runs, out=tmp_path / "out")
    said = capsys.readouterr().out
    assert "supported: 1 of 2" in said
    assert "by every seed" not in said


def test_runs_that_differ_in_more_than_the_seed_are_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two runs or more"):
        compare_seeds(runs[:1], tmp_path)
    with pytest.raises(UsageError, match="same seed"):
        compare_seeds([runs[0], runs[0]], tmp_path)
    other = tmp_path / "other" / "run"
    shutil.copytree(runs[0].parent, other.parent)
    settings = tomllib.loads((other / "run.toml").read_text())
    (other / "run.toml").write_text(tomli_w.dumps({**settings, "seed": 5, "protocol": "paper"}))
    with pytest.raises(DatasetError, match="other protocol"):
        compare_seeds([runs[1], other], tmp_path)
    (other / "run.toml").write_text(tomli_w.dumps({**settings, "seed": 5}))
    shutil.rmtree(other / "results")
    with pytest.raises(DatasetError, match="no results"):
        compare_seeds([runs[1], other], tmp_path)
    bigger = make_run(tmp_path, students=31)
    seeded(bigger, 6)
    with pytest.raises(DatasetError, match="other data"):
        compare_seeds([runs[1], bigger], tmp_path)
