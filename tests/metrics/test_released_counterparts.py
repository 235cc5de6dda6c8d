"""Our metrics by the released code's definitions: that code's values, under our names."""

from __future__ import annotations

import json
import lzma
import tomllib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import released_oracle as plain
from fabricate import make_run
from factories import make_dataset, make_key, make_trace, programs_of
from redraft import results
from redraft.config import build
from redraft.data.identity import keyed_hash
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.rollouts import Rollouts, read_text
from redraft.data.store import DatasetWriter, open_dataset
from redraft.data.trace import State, Trace
from redraft.execute.judged import Judgements
from redraft.metrics.likeness import LIKENESS
from redraft.metrics.measure import measure, measure_traces
from redraft.metrics.pairs import compare
from redraft.metrics.registry import MEASURED, METRICS
from redraft.metrics.released.colours import COLOURS
from redraft.metrics.released.columns import RELEASED
from redraft.metrics.released.counterparts import ABSENT, COUNTERPARTS, DEFINED, NO_SUCH, PAIRS
from redraft.metrics.released.table import measure_released
from redraft.pipeline.settings import protocol_files
from redraft.report.html import write_report
from redraft.results import Result
from redraft.studies.behaviour.figures import backtracking
from redraft.studies.behaviour.settings import BehaviourConfig
from redraft.studies.behaviour.study import behaviour
from redraft.studies.common.compared import measured

CODES = (
    ["pen #ff0000", "pen skyblue # sky", "pen skyblue # sky\nf = (x) ->\ng = ->\nfd 1\nfd 2\nfd 3"],
    ["fd 100", "fd 200", "fd 100", "rt 90\nawait done defer()"],
    ["dot blue"],
    ["# note\nturtle.fd 3\nbox 5", "# note\nbox 5", "box 5\n\n\nbox 6 for [1..4]"],
)


def traces() -> list[Trace]:
    made = [make_trace(codes, f"s{i}", gap=700) for i, codes in enumerate(CODES)]
    return [*made[:-1], replace(made[-1], ended=False)]


def as_ours(column: str, value: object) -> object:
    return sum(json.loads(value).values()) if column == "colors_last" and isinstance(value, str) else value


def test_values_are_those_of_the_released_table(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", traces())
    theirs = measure_released(dataset).table.to_pylist()
    ours = measure(dataset, definitions="released").to_pylist()
    assert len(ours) == len(theirs) == len(CODES)
    for row, released in zip(ours, theirs, strict=True):
        assert released["trace_length"] is not None
        for name in MEASURED:
            column = COUNTERPARTS.get(name)
            assert row[name] == (as_ours(column, released[column]) if column else None), name
        assert dict(zip(COLOURS, row["colours"], strict=True)) == {
            **dict.fromkeys(COLOURS, 0), **json.loads(released["colors_last"])
        }  # fmt: skip
        assert row["colours_trace"] is None
    assert [row["comments_final"] for row in ours] == [1, 0, 0, 0]
    assert ours[0]["colours_final"] == 2  # skyblue, and blue within it
    assert ours[3]["small_del_share"] == pytest.approx(1 / 3)  # of three programs, not of two edits


def test_every_counterpart_exists_and_counts_the_same_things() -> None:
    assert set(COUNTERPARTS) <= set(MEASURED)
    assert set(COUNTERPARTS.values()) <= set(RELEASED)
    assert len(set(COUNTERPARTS.values())) == len(COUNTERPARTS)
    assert set(PAIRS) == {name for name, metric in METRICS.items() if not metric.compute} - {
        "colour_cosine_trace", "ended_share",
    }  # fmt: skip
    for name, column in COUNTERPARTS.items():
        assert METRICS[name].level == RELEASED[column].level, name
        assert ("_sum_" in column) == name.endswith(("_count", "_added", "_deleted", "_modified")), name
        assert ("mean_" in column) == name.endswith(("_mean", "_share")), name


def test_every_metric_is_defined_anew_or_said_to_be_absent() -> None:
    assert list(DEFINED) == list(METRICS)
    assert "#ff0000" in DEFINED["comments_final"].definition
    assert {"backtracking_t3", "seconds_active", "colour_cosine_trace"} < ABSENT
    assert not ABSENT & {*COUNTERPARTS, *PAIRS, "runs_final", "runs_mean", "mended"}
    assert NO_SUCH in DEFINED["backtracking_t3"].definition
    assert DEFINED["runs_final"] == METRICS["runs_final"]  # has a rule of its own


def test_the_table_is_the_same_but_for_the_values() -> None:
    runs = Judgements.of_runs({state.id: True for trace in traces() for state in trace.states})
    corrected = measure_traces(traces(), None, runs)
    released = measure_traces(traces(), None, runs, "released")
    assert released.column_names == corrected.column_names
    assert all(released[name].type == pa.float64() for name in MEASURED)
    assert released.schema.field("colours").type == pa.list_(pa.float32(), 140)
    kept = {"student", "title", "sample", "request", "ended", "truncated", "language", "runs_final", "runs_mean"}
    assert kept <= {name for name in corrected.column_names if corrected[name].equals(released[name])}
    assert released["runs_final"].to_pylist() == [1] * len(CODES)
    assert released["comments_final"].to_pylist() != corrected["comments_final"].to_pylist()
    assert measure_traces([], definitions="released").schema.equals(released.schema)


def test_a_trace_that_the_released_code_fails_on_is_unscored() -> None:
    timeless = replace(make_trace([]), states=(State(code="pen red"),))
    table = measure_traces([timeless, make_trace(["pen red"], "s2")], definitions="released")
    assert table["attempts"].to_pylist() == [None, 1]
    assert table["colours"][0].as_py() is None
    assert table["colours_final"].to_pylist() == [None, 1]


def test_likeness_is_the_plain_formulation() -> None:
    real, samples = [["fd", "1", "rt", "90"]], [text.split() for text in ("fd 1 rt 90", "fd 1 lt 90 dot", "pen red")]
    bleu = LIKENESS["released"].bleu(samples, real)
    assert bleu == np.mean(plain.bleu(samples, [real] * 3))
    assert bleu != pytest.approx(LIKENESS["corrected"].bleu(samples, real))
    assert LIKENESS["released"].self_bleu(samples) == np.mean(plain.self_bleu(samples))
    assert LIKENESS["released"].self_bleu(samples[:1]) is None
    assert LIKENESS["released"].bleu([[]], [[]]) == 0


def test_pairs_compare_what_was_measured(tmp_path: Path) -> None:
    real = make_dataset(tmp_path / "real", [make_trace(["fd 1", "pen skyblue"]), make_trace(["fd 1"], "s2")])
    samples = [
        replace(make_trace(codes), sample=number, request="r", source="sample:trace")
        for number, codes in enumerate((["pen blue"], ["fd 1", "pen red # x"]))
    ]
    generated = make_dataset(tmp_path / "generated", samples, origin="model")
    rows = {
        definitions: compare(
            measure(real, definitions=definitions), programs_of(real),
            measure(generated, definitions=definitions), programs_of(generated),
            definitions=definitions,
        )
        for definitions in LIKENESS
    }  # fmt: skip
    assert rows["corrected"].column_names == rows["released"].column_names
    (corrected,), (released,) = (table.to_pylist() for table in rows.values())
    assert (corrected["colour_cosine"], corrected["generated_comments_final"]) == (0, 0)
    # real: skyblue and the blue in it; samples: blue, red
    assert released["colour_cosine"] == pytest.approx(1 / 2)
    assert released["colour_cosine_trace"] is None
    assert released["generated_comments_final"] == 0.5
    tokens = [["pen", "blue"], ["pen", "red", "#", "x"]]
    assert released["bleu_final"] == np.mean(plain.bleu(tokens, [[["pen", "skyblue"]]] * 2))
    assert released["self_bleu"] == np.mean(plain.self_bleu(tokens))
    assert released["self_bleu_real"] == 0


@pytest.mark.supplied
def test_supplied_rollouts_that_ended_have_the_released_values(shared: Path, tmp_path: Path) -> None:
    name, key = "all_flag", bytes(32)
    make_key(tmp_path / "key", key)
    file = shared / "rollouts" / f"{name}.json.xz"
    dataset = ingest(Rollouts(paths=[file]), tmp_path / "dataset", IngestOptions(key=tmp_path / "key"))
    ours = {(row["student"], row["sample"]): row for row in measure(dataset, definitions="released").to_pylist()}
    released = {
        row["idx"]: row for row in pq.read_table(shared / "released-trace-metrics.parquet").to_pylist()
        if row["file"] == name
    }  # fmt: skip
    seen: Counter[str] = Counter()
    ended = 0
    for idx, (text, student, _) in enumerate(json.loads(lzma.decompress(file.read_bytes()))):
        if read_text(text).drafts:
            row = ours[keyed_hash(student, key), seen[student]]
            seen[student] += 1
            ended += row["ended"]
            for mine, theirs in COUNTERPARTS.items():
                assert not row["ended"] or row[mine] == as_ours(theirs, released[idx][theirs]), mine
    assert ended > 100


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Result]]]:
    """A run evaluated by either definitions, the released ones last: some traces have a colour that looks a comment."""
    run = make_run(tmp_path_factory.mktemp("runs"), students=24, titles=6)
    samples = open_dataset(run / "samples/trace")
    odd = [
        replace(trace, states=(*trace.states[:-1], replace(trace.final, code=f"{trace.final.code}\npen #ff0000")))
        if i % 2 else trace
        for i, trace in enumerate(samples.traces())
    ]  # fmt: skip
    with DatasetWriter(samples.path, origin="model", provenance={**samples.manifest.provenance, "odd": 1},
                       overwrite=True) as writer:  # fmt: skip
        writer.write_shard(0, odd)
        writer.finish()
    asked = ("comments_final", "attempts", "backtracking_t3", "seconds_total", "runs_final")
    return run, {
        definitions: behaviour(run, BehaviourConfig(definitions=definitions, metrics=asked, replicates=20))
        for definitions in LIKENESS
    }


def test_both_evaluations_have_the_same_rows_and_say_which_they_are(
    evaluated: tuple[Path, dict[str, list[Result]]],
) -> None:
    corrected, released = evaluated[1].values()
    address = [(r.model, r.baseline, r.metric, r.statistic, r.split, r.condition, r.family) for r in corrected]
    assert address == [(r.model, r.baseline, r.metric, r.statistic, r.split, r.condition, r.family) for r in released]
    assert {row.definitions for row in corrected} == {"corrected"}
    same = {row.metric for row in released if row.definitions == "corrected"}
    assert same == {"runs_final", "runs_mean", "mended", "broken", "ended_share"}
    changed = {
        a.metric for a, b in zip(corrected, released, strict=True)
        if a.value is not None and b.value is not None and a.value != b.value
    }  # fmt: skip
    edits = {"large_add_share", "small_add_share", "small_del_share", "modify_share"}
    assert changed == {"comments_final", "backtracking", "bleu_final", "bleu_trace", "self_bleu", *edits}
    for row in released:
        absent = row.metric in ABSENT
        assert absent == (NO_SUCH in (row.reason or ""))
        assert not (absent and row.value is not None)
    assert any(row.value is not None for row in corrected if row.metric == "backtracking_t3")


def test_values_by_either_definitions_are_kept_apart(evaluated: tuple[Path, dict[str, list[Result]]]) -> None:
    run, rows = evaluated
    for view in ("real", "trace"):
        files = [run / "metrics" / f"{view}.parquet", run / "metrics/released" / f"{view}.parquet"]
        assert [pq.read_schema(file).metadata[b"definitions"] for file in files] == [b"corrected", b"released"]
    again = behaviour(run, BehaviourConfig(definitions="released", metrics=("comments_final",), replicates=20))
    kept = {(r.model, r.baseline, r.statistic, r.split, str(r.condition)): r.value for r in rows["released"]
            if r.metric == "comments_final"}  # fmt: skip
    assert {(r.model, r.baseline, r.statistic, r.split, str(r.condition)): r.value for r in again
            if r.metric == "comments_final"} == kept  # fmt: skip
    dataset, file = open_dataset(run.parent / "class"), run / "metrics/released/real.parquet"
    other = measured(dataset, file, workers=1)  # as another study would, if it named this file
    assert other["backtracking_t3"].null_count < len(other)
    assert measured(dataset, file, workers=1, definitions="released")["backtracking_t3"].null_count == len(other)


def test_the_report_says_whose_definitions_it_uses(evaluated: tuple[Path, dict[str, list[Result]]]) -> None:
    run, rows = evaluated
    results.write(rows["released"], run / "results/behaviour.parquet")
    page = write_report(run).read_text()
    assert "corrected, released" in page or "released, corrected" in page
    assert "<h3>Definitions</h3>" in page
    assert "White-space tokens that start with `#`" in page
    assert page.count("Metrics of behaviour: by the paper&#39;s released code&#39;s definitions.") > 5
    assert "released" in (run / "results/table-text.csv").read_text()
    results.write(rows["corrected"], run / "results/behaviour.parquet")
    page = write_report(run).read_text()
    assert "released code" not in page


def test_backtracking_without_a_scored_pair_is_not_drawn() -> None:
    nothing = pa.array([float("nan")] * 2)
    points = pa.table({"model": ["trace"] * 2, "title": ["a", "b"], "split": ["seen-seen"] * 2, "real": nothing,
                       "generated": nothing, "frequency": [1, 2]})  # fmt: skip
    assert backtracking(points, [], ["trace"], "students", "d") is None


def test_the_protocol_asks_for_them() -> None:
    (file,) = protocol_files("released")
    asked = build(BehaviourConfig, tomllib.loads(file.read_text())["behaviour"])
    assert asked.definitions == "released"
    usual = {*BehaviourConfig().metrics, "seconds_total"}
    assert {name for name in usual if METRICS[name].released} <= set(asked.metrics) <= usual
    assert BehaviourConfig().definitions == "corrected"
