"""Runs, datasets and settings that a stranger may have made: they lead nowhere else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from factories import make_dataset, make_trace
from redraft.config import read_toml
from redraft.data.store import open_dataset
from redraft.errors import DatasetError, InputError, RedraftError
from redraft.report.html import write_report
from redraft.studies.common.run import open_run


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A dataset of somebody's own, elsewhere."""
    return make_dataset(tmp_path / "home/private.dataset", [make_trace(["fd 1"])]).path


def run_folder(folder: Path, settings: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "run.toml").write_text(settings)
    return folder


@pytest.mark.parametrize("name", ["results", "figures", "samples/trace", "report.html", "metrics/trace.parquet"])
def test_a_run_with_a_link_that_leads_out_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    target = tmp_path / "home"
    target.mkdir()
    run = run_folder(tmp_path / "run", "dataset = 'd'\n")
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).symlink_to(target)
    with pytest.raises(DatasetError, match="is a link that leads out of the folder; it is not followed"):
        write_report(run)
    assert not list(target.iterdir())


def test_a_run_that_is_a_link_or_has_links_within_is_opened(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", "dataset = 'd'\n")
    (run / "results").mkdir()
    (run / "latest").symlink_to("results")
    (tmp_path / "link").symlink_to(run)
    assert open_run(tmp_path / "link").settings == {"dataset": "d"}


@pytest.mark.parametrize("key", ["views", "unsampled_views", "controls"])
@pytest.mark.parametrize("name", ["../../home", "/etc", "..", ".hidden", "a/b", ""])
def test_names_in_run_toml_that_lead_elsewhere_are_refused(tmp_path: Path, key: str, name: str) -> None:
    run = run_folder(tmp_path / "run", f"{key} = ['trace', '{name}']\n")
    with pytest.raises(InputError, match=f"'{key}' holds .* which can't name a folder"):
        open_run(run)


def test_a_dataset_outside_of_its_run_is_named_when_it_is_read(
    tmp_path: Path, private: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_folder(tmp_path / "run", "dataset = '../home/private.dataset'\n")
    assert len(open_run(run).dataset) == 1
    assert f"names the dataset {private}, outside this folder; it is read" in " ".join(capsys.readouterr().err.split())
    shutil.copytree(private, run / "own.dataset")
    (run / "run.toml").write_text("dataset = 'own.dataset'\n")
    assert len(open_run(run).dataset) == 1
    assert not capsys.readouterr().err


def test_a_split_named_elsewhere_is_refused(tmp_path: Path, private: Path) -> None:
    run = run_folder(tmp_path / "run", "dataset = '../home/private.dataset'\nsplit = '../../other/splits/default'\n")
    with pytest.raises(RedraftError, match="can't name a split"):
        _ = open_run(run).split


def test_a_dataset_leads_nowhere_else(tmp_path: Path, private: Path) -> None:
    secret = tmp_path / "secret.parquet"
    shutil.copy(private / "traces-00000.parquet", secret)
    strange = tmp_path / "strange.dataset"
    shutil.copytree(private, strange)
    (strange / "covariates.parquet").symlink_to(secret)
    with pytest.raises(DatasetError, match="is a link that leads out"):
        open_dataset(strange)
    (strange / "covariates.parquet").unlink()
    manifest = json.loads((strange / "manifest.json").read_text())
    (strange / "traces-x").mkdir()
    for name in ("traces-x/../../secret.parquet", str(secret), "../secret.parquet"):
        (strange / "manifest.json").write_text(json.dumps({**manifest, "files": {name: "0" * 64}}))
        with pytest.raises(DatasetError, match=r"lists files in a way|was changed or damaged"):
            open_dataset(strange)


@pytest.mark.parametrize("text", ["x = " + "[" * 50_000, "x = '" + "y" * 10**6 + "'"])
def test_settings_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(InputError, match=r"x\.toml: (is nested too deep|has more than 1,000,000 bytes)"):
        read_toml(tmp_path / "x.toml")
