"""The list of studies: a study is a folder and an entry, and everything else follows."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import redraft
from fabricate import make_run
from redraft import config, results
from redraft.cli import main
from redraft.errors import InputError, UsageError
from redraft.pipeline.settings import WholeRun, protocol_files, within
from redraft.results import Result
from redraft.studies.behaviour.settings import BehaviourConfig
from redraft.studies.common.run import open_run, read_settings
from redraft.studies.registry import STUDIES, Study

TOY = {
    "__init__.py": '"""Wave at every student."""\n',
    "settings.py": """
from dataclasses import dataclass, replace

@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    waves: int = 3

    def within(self, budget):
        return replace(self, waves=budget.some(300, 2))
""",
    "study.py": """
from redraft import results
from redraft.results import Result
from redraft.studies.common.run import open_run
from toy_study.settings import ToyConfig

def toy(folder, config=None):
    run = open_run(folder)
    config = config or run.section("toy", ToyConfig)
    rows = [Result(origin=run.dataset.origin, dataset=run.dataset.name, study="toy", model="trace", metric="waves",
                   level="collection", statistic="mean", n=50, n_students=20, n_titles=20, value=float(config.waves),
                   low=1.0, high=9.0, p=0.01)]
    results.write(rows, run.path / "results" / "toy.parquet")
    return rows
""",
    "figures.py": "def figures(run):\n    return []\n",
    "tables.py": """
from redraft import results
from redraft.plots.tables import table

def tables(run):
    rows = results.of_study(run, "toy")
    return [table("toy", "Waves", "How often.", ("waves",), [(f"{row.value:g} waves",) for row in rows], rows)]
""",
    "chapter.py": """
from toy_study.figures import figures
from toy_study.tables import tables

METHODS = ("A hand goes up.",)

def sentences(rows):
    return [f"{row.value:g} waves" for row in rows]
""",
    "claims.toml": """
[metrics]
waves = "waves"
[waves]
about = "Students are waved at"
metric = "waves"
statistic = "mean"
model = "trace"
smallest = 0.5
margin = 0.5
source = "added"
""",
}
"""The files of a study that isn't redraft's."""

ENTRY = """
import sys
from redraft.studies import registry
registry.STUDIES += (registry.Study(
    name="toy", question="Who waves?", does="wave at students", settings="ToyConfig", function="toy", needs="dataset",
    done="on request", package="toy_study",
),)
from redraft.pipeline import study

def nothing(*_):
    pass

for stage in ("_read", "_train", "_sample", "_sample_control", "_execute"):  # samples are there already
    assert hasattr(study, stage)
    setattr(study, stage, nothing)
study.parallel_models = lambda: 1
if sys.argv[1] == "docs":
    from redraft.cli import reference
    print(*reference.studies(), reference.help_text(("toy",)), sep="\\n")
else:
    from redraft.cli import main
    main(sys.argv[1:])
"""
"""redraft with that study's entry."""


def test_a_study_is_a_folder_and_an_entry(tmp_path: Path) -> None:
    (tmp_path / "toy_study").mkdir()
    for name, text in TOY.items():
        (tmp_path / "toy_study" / name).write_text(text)
    (tmp_path / "with_toy.py").write_text(ENTRY)

    def call(*arguments: str | Path) -> str:
        command = [sys.executable, "with_toy.py", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "toy: wave at students" in call("--help")
    docs = call("docs")
    assert "| [toy](#redraft-toy) | Who waves? | dataset | on request | 1 | - |" in docs
    assert "Wave at every student." in docs

    run = make_run(tmp_path, students=12, titles=6, replicates=40)
    settings = tmp_path / "small.toml"
    settings.write_text(
        'views = ["trace", "last", "synthetic"]\nunsampled_views = []\ncontrols = []\nmax_pairs = 3\nstudies = ["toy"]\n'
        '[behaviour]\nmetrics = ["comments_final"]\nreplicates = 40\nworkers = 1\n'
    )
    call("reproduce", "--data", tmp_path / "class", "--budget", "48", "--out", run, "--config", settings)
    written = tomllib.loads((run / "run.toml").read_text())
    assert written["toy"] == {"waves": 30}  # a tenth of what 480 minutes allow
    assert "toy" in json.loads((run / "stages.json").read_text())
    page = (run / "report.html").read_text()
    assert "Who waves?" in page
    assert "30 waves" in page
    assert "A hand goes up." in page
    assert "Students are waved at" in (run / "findings.md").read_text()
    assert "- 30 waves" in call("toy", run)


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_what_an_entry_names_is_there(study: Study) -> None:
    assert study.config().within is not None
    assert callable(inspect.getattr_static(sys.modules[study.config.__module__], study.settings))
    assert isinstance(study.chapter.METHODS, tuple)
    assert study.about.endswith(".")
    assert getattr(redraft, study.name).__module__ == f"{study.folder}.study"
    assert {"settings.py", "study.py", "figures.py", "tables.py", "chapter.py"} <= {
        file.name for file in Path(inspect.getfile(study.config)).parent.iterdir()
    }


def test_settings_load_no_torch() -> None:
    code = "import sys, redraft.studies.registry as r; [s.config for s in r.STUDIES]; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_has_a_section_for_each_study_and_reads_them_again(tmp_path: Path) -> None:
    run = within(WholeRun(dataset="class", seed=7), 48)
    text = config.dump(run)
    assert {study.name for study in STUDIES} <= set(tomllib.loads(text))
    (tmp_path / "run.toml").write_text(text)
    assert config.load(WholeRun, [tmp_path / "run.toml"]) == run
    assert {field.name for field in fields(run)} == set(tomllib.loads(text)) | {"command"}
    for name in ("paper", "released"):
        assert config.load(WholeRun, protocol_files(name), base=run) != run
    (tmp_path / "wrong.toml").write_text('studies = ["varianse"]\n')
    with pytest.raises(UsageError, match="Did you mean 'variance'"):
        config.load(WholeRun, [tmp_path / "wrong.toml"], base=run)
    (tmp_path / "wrong.toml").write_text("[prob]\nfolds = 3\n[adapt]\nmax_epoch = 3\n")
    with pytest.raises(InputError, match=r"'probe'.*'max_epochs'"):
        config.load(WholeRun, [tmp_path / "wrong.toml"], base=run)


def test_names_of_earlier_versions_are_read_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.toml").write_text('dataset = "x"\nrecovery_views = ["synthetic"]\n[evaluate]\nseed = 5\n')
    run = config.load(WholeRun, [tmp_path / "run.toml"], read=read_settings)
    assert run.unsampled_views == ("synthetic",)
    assert open_run(tmp_path).section("behaviour", BehaviourConfig).seed == 5
    said = " ".join(capsys.readouterr().err.split())
    assert "'evaluate' is now called 'behaviour'" in said
    assert said.count("'recovery_views'") == 1
    with pytest.raises(SystemExit):
        main(["evaluate", str(tmp_path / "none")])
    assert "`redraft evaluate` is now called `redraft behaviour`" in capsys.readouterr().err
    with pytest.warns(FutureWarning, match=r"redraft\.behaviour"):
        assert redraft.evaluate is redraft.behaviour


def test_results_of_earlier_versions_are_read_with_todays_names(tmp_path: Path) -> None:
    base = Result(
        origin="simulated", dataset="d", study="recover", metric="executes", level="program", statistic="mean", n=1,
        n_students=1, n_titles=1, value=1.0,
    )  # fmt: skip
    old = [
        replace(base, condition={"student": "strong", "seconds": "1"}, family="recovery: steering"),
        replace(base, condition={"student": "own"}, family="recovery: primary, trace - baselines, kept_success"),
        replace(base, study="steer", condition={"hand": "most", "against": "least"}, family="steer: most - least"),
    ]
    results.write(old, tmp_path / "old.parquet")
    read = results.read(tmp_path / "old.parquet")
    assert [row.condition for row in read] == [
        {"voice": "strong", "seconds": "1"}, {"voice": "own"}, {"voice": "most", "against": "least"},
    ]  # fmt: skip
    assert [row.family for row in read] == [
        "recover: voices", "recover: primary, trace - baselines, kept_success", "steer: most - least",
    ]  # fmt: skip
    assert results.read_points(_points(tmp_path)).column_names == ["model", "voice", "bits"]


def _points(folder: Path) -> Path:
    pq.write_table(pa.table({"model": ["trace"], "whose": ["own"], "bits": [1.0]}), folder / "points.parquet")
    return folder / "points.parquet"
