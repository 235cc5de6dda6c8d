from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fabricate import make_run
from redraft import results
from redraft.cli import metrics as measuring
from redraft.cli import studies as commands
from redraft.data.store import Origin
from redraft.errors import DatasetError, InputError, UsageError
from redraft.plots.style import origin_words, view_style
from redraft.plots.tables import number, probability, with_interval
from redraft.plots.words import BANNERS
from redraft.report import training
from redraft.report.html import write_report
from redraft.results import Result
from redraft.rundir import RunDir
from redraft.studies.behaviour.settings import BehaviourConfig
from redraft.studies.behaviour.study import behaviour
from redraft.studies.common.claims import PRIMARY, judge, own_claims
from redraft.studies.common.findings import by_study, claims_table, findings, sentences


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("report"))
    behaviour(folder)
    RunDir(folder).finish("behaviour", {}, 1.5)
    history = pa.table({"step": [1, 2], "tokens": [100, 200], "train_loss": [3.0, 2.0], "validation_loss": [3.1, None]})
    (folder / "models/trace").mkdir(parents=True)
    pq.write_table(history, folder / "models/trace/history.parquet")
    (folder / "models/trace/redraft.json").write_text(
        '{"training": {"steps": 2, "tokens": 200, "best_step": 1, "stopped_by": "patience", "converged": true}}'
    )
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def rows(run: Path) -> list[Result]:
    return results.read(run / "results" / "behaviour.parquet")


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    return (run / "report.html").read_text(encoding="utf-8")


def test_page_needs_nothing_from_elsewhere(page: str) -> None:
    assert not re.findall(r"""(?:src|href|action|data)\s*=\s*["']\s*(?:https?:)?//""", page)
    assert not re.findall(r"url\(\s*['\"]?(?:https?:)?//", page)
    assert "@import" not in page
    assert "<script" not in page
    assert "<link" not in page


def test_page_is_well_formed_and_every_anchor_has_its_target(page: str) -> None:
    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.ids: list[str] = []
            self.targets: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found = dict(attrs)
            if found.get("id"):
                self.ids.append(str(found["id"]))
            for name in ("href", "xlink:href"):
                if (found.get(name) or "").startswith("#"):
                    self.targets.append(str(found[name])[1:])

    reader = Reader()
    reader.feed(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert set(reader.targets) <= set(reader.ids)


def test_origin_stands_on_the_page_and_every_figure(run: Path, page: str) -> None:
    assert BANNERS["simulated"] in page
    drawn = sorted((run / "figures").glob("*.svg"))
    assert {path.stem for path in drawn} == {
        "final-programs", "whole-traces", "likeness", "backtracking", "training", "lengths", "long-tails", "distances",
        "title-frequency", "levels",
    }  # fmt: skip
    for path in drawn:
        svg = path.read_text()
        assert "Simulated class: class" in svg
        assert 'role="img" aria-label="' in svg
        assert pq.read_table(run / f"points-{path.stem}.parquet").num_rows
    captions = re.findall(r"<figcaption>.*?</figcaption>", page, re.DOTALL)
    assert len(captions) == len(drawn)
    assert all("Simulated class: class" in caption for caption in captions)


def test_tables_and_their_csv_hold_the_results(run: Path, page: str, rows: list[Result]) -> None:
    links = dict(re.findall(r'download="([\w-]+)\.csv" href="data:text/csv;charset=utf-8;base64,([^"]*)"', page))
    assert {"claims", "conditions", "text", "contrasts", "splits", "agreement-seen-seen"} <= set(links)
    for name, encoded in links.items():
        assert base64.b64decode(encoded).decode() == (run / "results" / f"table-{name}.csv").read_text()
    claims = list(csv.DictReader(io.StringIO((run / "results" / "table-claims.csv").read_text())))
    wanted = [row for claim in PRIMARY if (row := claim.find(rows))]
    views = {"trace", "last", "synthetic", "title-mean", "other-student"}
    assert len(claims) == len(wanted) == sum({claim.model, claim.against} <= views for claim in PRIMARY)
    for line, row in zip(claims, wanted, strict=True):
        assert line["value"] == ("" if row.value is None else str(row.value))
        if row.value is not None and row.low is not None and row.high is not None:
            assert f"{number(row.value)} [{number(row.low)}, {number(row.high)}]" in page


def test_report_comes_from_the_run_folder_alone(run: Path, page: str, tmp_path: Path) -> None:
    data = run.parent / "class"
    data.rename(tmp_path / "elsewhere")
    try:
        again = write_report(run).read_text(encoding="utf-8")
    finally:
        (tmp_path / "elsewhere").rename(data)
    timeless = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")
    assert timeless.sub("", again) == timeless.sub("", page)


def test_findings_begin_with_the_origin_and_tell_what_is_not_significant(run: Path, rows: list[Result]) -> None:
    assert len(findings(run)) == 3
    told = findings(run, None)
    assert all(sentence.startswith("Simulated class: class. ") for sentence in told)
    assert any("Planted effect recovered" in sentence for sentence in told)
    assert any("not testable" in sentence for sentence in told)
    claim = next(c for c in PRIMARY if (c.metric, c.statistic) == ("comments_final", "pooled_r"))
    row = claim.find(rows)
    assert row is not None
    weak = replace(row, value=0.1, low=-0.2, high=0.4, low_90=-0.15, high_90=0.35, p=0.4)
    others = [other for other in rows if other is not row]
    (sentence,) = [s for s in sentences([weak, *others]) if "[−0.20, 0.40]" in s]
    assert "No significant difference" in sentence
    assert "Planted effect not findable at this size" in sentence, "±0.3 isn't enough to find a difference of 0.05"
    (verdict,) = [v for v in judge([weak, *others]) if v.claim == claim]
    assert verdict.words == "not significant: planted effect not findable at this size"
    (own,) = [
        other for other in rows if (other.model, other.baseline) == (None, "student-mean")
        and (other.metric, other.statistic, other.split) == (claim.metric, claim.statistic, claim.split)
    ]  # fmt: skip
    known = f"he mean of the student's own training traces has {with_interval(own)}"
    assert f" T{known}. Planted" in sentence, "what there was to know"
    assert any(line[-1] == f"{verdict.words}; t{known}" for line in claims_table([weak, *others]).rows)
    assert not any("training traces has" in s and "recovered" in s for s in told), "what is found was there to find"


def test_every_claim_has_a_line_measured_or_not(rows: list[Result]) -> None:
    table = claims_table(rows)
    assert len(table.rows) == len(own_claims().claims)
    assert "Simulated class: class" in table.caption
    bleu = next(v.row for v in judge(rows) if v.row is not None and v.row.metric == "bleu_final")
    assert f"{with_interval(bleu)}, d {number(bleu.effect_size)}" in [line[3] for line in table.rows]
    words = [line[-1] for line in table.rows]
    assert any(word.endswith("planted effect recovered") for word in words)
    assert "not testable (the run has no trace-downsampled and no synthetic-downsampled)" in words
    assert "not testable (the study 'recover' was not run)" in words
    assert not any(word.startswith(("supported", "contradicted")) for word in words)
    assert ("trace-downsampled 0.284, last 0.262") in [line[-2] for line in table.rows]


@pytest.mark.parametrize("origin", get_args(Origin))
def test_nothing_is_claimed_about_students_unless_students_wrote(origin: str, rows: list[Result]) -> None:
    told = sentences([replace(row, origin=origin) for row in rows])
    assert all(sentence.startswith(origin_words(origin, "class")) for sentence in told)
    scored = [sentence for sentence in told if "not testable" not in sentence]
    if origin == "model":
        assert all("no evidence about students" in sentence for sentence in scored)
    if origin == "simulated":
        assert all("Planted effect" in s or "says nothing about students" in s for s in scored)
    if origin == "students":
        assert not any("lanted" in sentence or "imitation" in sentence for sentence in told)


def test_views_keep_their_colours_and_unknown_ones_differ() -> None:
    assert view_style("trace", ["last", "trace"]) == view_style("trace", ["trace"])
    views = ["trace", "mine", "yours"]
    assert len({view_style(view, views) for view in views}) == 3


def test_numbers_in_words() -> None:
    assert [number(None), number(-0.126), number(3, 0)] == ["–", "−0.13", "3"]
    assert [probability(p) for p in (None, 0.0004, 0.0312, 1.0)] == ["–", "< .001", ".031", "1"]


def test_models_table_and_curves_need_no_models(run: Path, tmp_path: Path) -> None:
    assert training.curves(tmp_path, ["trace"], "x") is None
    assert training.models(tmp_path, ["trace"]) is None
    made = training.models(run, ["trace", "last"])
    assert made is not None
    assert made.rows == [("trace", "200", "2", "1", "3.100", "patience")]


def test_curves_say_where_a_cooldown_began(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "models", tmp_path / "models")
    without = training.curves(tmp_path, ["trace"], "x")
    card = {"training": {"steps": 2, "cooldown_steps": 1}}
    (tmp_path / "models/trace/redraft.json").write_text(json.dumps(card))
    cooled = training.curves(tmp_path, ["trace"], "x")
    assert without is not None
    assert cooled is not None
    assert "vertical line" in cooled.caption
    assert "vertical line" not in without.caption
    assert cooled.svg != without.svg


def test_each_study_has_its_first_findings_on_the_page(run: Path, rows: list[Result], page: str) -> None:
    told = by_study(rows)
    assert list(told) == ["behaviour"]
    assert told["behaviour"] == sentences(rows)[:3]
    assert "<h3>Do generated traces behave like the real ones?</h3>" in page
    assert page.count("Claim: “") == 3


def test_findings_are_also_a_page_of_markdown(run: Path) -> None:
    text = (run / "findings.md").read_text(encoding="utf-8")
    assert "Simulated class" in text.split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    studies = text.count("\n## ")
    assert studies == len({claim.study for claim in own_claims().claims})
    assert len(lines) == len(own_claims().claims) + 2 * studies
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 9 for line in lines)


def test_commands(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "metrics.parquet"
    measuring.metrics(run.parent / "class", out=out, workers=1)
    assert pq.read_table(out).num_rows > 0
    with pytest.raises(UsageError, match="coffeescript"):
        measuring.metrics(run.parent / "class", out=out, language="cofeescript")
    commands.report(run)
    assert capsys.readouterr().out.strip().endswith("report.html")
    with pytest.raises(InputError, match="not a run"):
        commands.report(tmp_path)
    (tmp_path / "run.toml").write_text('dataset = "x"\n')
    with pytest.raises(DatasetError, match="redraft behaviour"):
        commands.report(tmp_path)


def test_run_of_one_view_has_a_report(tmp_path: Path) -> None:
    folder = make_run(tmp_path, students=12, titles=4)
    (folder / "run.toml").write_text('dataset = "../class"\nviews = ["last"]\n')
    behaviour(folder, BehaviourConfig(metrics=("comments_final",), replicates=20))
    page = write_report(folder).read_text()
    assert "figure-final-programs" in page
    assert "figure-whole-traces" not in page
    assert findings(folder) == []
