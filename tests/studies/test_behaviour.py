from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import ks_2samp

from fabricate import make_run
from factories import make_dataset, make_trace, programs_of
from known import known
from redraft import results
from redraft.data.split import SplitConfig, load_split, make_split
from redraft.data.store import DatasetWriter, open_dataset
from redraft.data.trace import Pair
from redraft.errors import DatasetError, InputError
from redraft.execute.dataset import verdict_writer
from redraft.execute.verdict import Verdict
from redraft.metrics.metric import Place
from redraft.metrics.registry import shown
from redraft.report.html import write_report
from redraft.results import Result
from redraft.studies.behaviour.settings import BehaviourConfig
from redraft.studies.behaviour.study import behaviour
from redraft.studies.behaviour.tables import tables
from redraft.studies.common import compared
from redraft.studies.common.claims import PRIMARY, PRIMARY_FAMILY, judge
from redraft.studies.common.compared import measured
from redraft.studies.common.finals import finals_of, near_duplicates, random_bleu
from redraft.studies.common.run import open_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("knows"))
    behaviour(folder)
    return folder


@pytest.fixture(scope="module")
def rows(run: Path) -> list[Result]:
    return results.read(run / "results" / "behaviour.parquet")


def one(rows: list[Result], **wanted: object) -> Result:
    wanted = {"condition": {}, "baseline": None, "model": None, **wanted}
    (found,) = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    return found


def test_model_that_knows_the_students_is_ranked_first(rows: list[Result]) -> None:
    def within(model: str, metric: str) -> Result:
        return one(rows, model=model, metric=metric, statistic="within_r", split="seen-seen")

    knows, other = within("trace", "comments_final"), within("last", "comments_final")
    assert knows.value is not None
    assert other.value is not None
    assert knows.value > 0.3 > other.value
    assert knows.low is not None
    assert knows.low > 0
    difference = one(rows, model="trace", baseline="last", metric="comments_final", statistic="within_r_difference",
                     split="seen-seen")  # fmt: skip
    assert difference.value == pytest.approx(knows.value - other.value)
    assert difference.family == PRIMARY_FAMILY
    assert difference.p_adjusted is not None
    assert difference.p is not None
    assert difference.p_adjusted >= difference.p
    assert known(within("trace", "backtracking").value) > 0.3


def test_model_of_shuffled_students_has_no_within_title_agreement(tmp_path: Path) -> None:
    rows = behaviour(make_run(tmp_path, shuffled=True))
    for metric in ("comments_final", "backtracking"):
        row = one(rows, model="trace", metric=metric, statistic="within_r", split="all")
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
        assert row.low < 0 < row.high
        assert abs(row.value) < 0.25


def test_final_only_model_has_no_trace_metrics(rows: list[Result]) -> None:
    of_last = {row.metric for row in rows if row.model == "last" and row.baseline is None}
    assert "comments_final" in of_last
    assert "bleu_final" in of_last
    assert not of_last & {*shown(Place.WHOLE_TRACES), "bleu_trace", "colour_cosine_trace"}


def test_other_metrics_of_traces_are_shown_with_them(tmp_path: Path) -> None:
    folder = make_run(tmp_path, students=12, titles=4)
    rows = behaviour(folder, BehaviourConfig(metrics=("comments_final", "seconds_total"), replicates=20))
    assert "seconds_total" not in {row.metric for row in rows if row.model == "last" and row.baseline is None}
    write_report(folder)
    drawn = pq.read_table(folder / "points-whole-traces.parquet")
    assert set(drawn["metric"].to_pylist()) == {"seconds_total"}
    assert "trace" in drawn["model"].to_pylist()


def test_a_side_that_never_varies_is_unscored_with_a_reason(rows: list[Result]) -> None:
    row = one(rows, model="synthetic", metric="backtracking", statistic="within_r", split="seen-seen")
    assert (row.value, row.low, row.p) == (None, None, None)
    assert row.reason
    assert "constant" in row.reason
    assert one(rows, baseline="title-mean", metric="comments_final", statistic="within_r", split="all").value is None


def test_empty_split_is_unscored_and_says_so(rows: list[Result]) -> None:
    forward = [row for row in rows if row.split == "forward"]
    assert forward
    assert all(row.value is None and row.n == 0 and "no pairs in this split" in (row.reason or "") for row in forward)


def test_baselines_stand_beside_the_models(rows: list[Result]) -> None:
    found = {row.baseline for row in rows if row.model is None and row.metric == "comments_final"}
    assert found == {"title-mean", "student-mean", "student+title", "random-trace", "other-student", "real-traces"}
    assert one(rows, baseline="real-students", metric="self_bleu", statistic="mean", split="all").value is not None
    assert one(rows, baseline="random-trace", metric="bleu_final", statistic="mean", split="all").value is not None


def test_ended_share_and_counts(run: Path, rows: list[Result]) -> None:
    samples = open_dataset(run / "samples/trace").to_arrow(["student", "title", "ended"])
    split = load_split(open_dataset(run.parent / "class"))
    pairs = [Pair(s, t) for s, t in zip(samples["student"].to_pylist(), samples["title"].to_pylist(), strict=True)]
    keep = [split.of[pair] == "seen-seen" for pair in pairs]
    row = one(rows, model="trace", metric="ended_share", statistic="mean", split="seen-seen")
    ended = np.array(samples["ended"].to_pylist())[keep]
    assert row.value == pytest.approx(ended.mean())
    assert row.n == split.counts()["seen-seen"]


def test_primary_claims_are_repeated_under_each_condition(rows: list[Result]) -> None:
    conditions = {tuple(row.condition.items()) for row in rows if row.condition}
    assert conditions == {
        (("truncated", "left out"),), (("near_duplicates", "left out"),), (("generations", "ended only"),),
    }  # fmt: skip
    sides = {side for row in rows for side in (row.model, row.baseline)}
    measured = sum({claim.model, claim.against} <= sides for claim in PRIMARY)
    assert measured > 5
    for condition in conditions:
        assert sum(row.condition == dict(condition) for row in rows) == measured


def test_another_students_vector_is_a_baseline_of_seen_students(rows: list[Result]) -> None:
    other = one(rows, baseline="other-student", metric="comments_final", statistic="within_r", split="seen-seen")
    assert other.value is not None
    assert other.value < 0.3
    claimed = one(rows, model="trace", baseline="other-student", metric="comments_final",
                  statistic="within_r_difference", split="seen-seen")  # fmt: skip
    assert claimed.low is not None
    assert claimed.low > 0
    assert claimed.family == PRIMARY_FAMILY
    unseen = one(rows, baseline="other-student", metric="comments_final", statistic="within_r", split="unseen-seen")
    assert (unseen.value, unseen.n) == (None, 0)
    assert not [row for row in rows if "matched-student" in (row.baseline, row.model)]  # not drawn in this run


def test_agreement_is_set_against_how_often_a_title_was_trained_on(rows: list[Result]) -> None:
    row = one(rows, model="trace", metric="backtracking", statistic="frequency_spearman", split="all")
    assert row.value is not None or row.reason
    assert row.unit == "rho"
    assert not [row for row in rows if row.statistic == "frequency_spearman" and row.model == "last"]


def test_evaluating_again_gives_the_same_rows_from_the_cache(run: Path, rows: list[Result]) -> None:
    cached = run / "metrics" / "real.parquet"
    before = cached.stat().st_mtime_ns
    assert behaviour(run) == rows
    assert cached.stat().st_mtime_ns == before


def test_cache_of_other_data_is_not_used(run: Path) -> None:
    cached = run / "metrics" / "trace.parquet"
    whole = pq.read_table(cached)
    pq.write_table(whole.slice(0, 3).replace_schema_metadata({"dataset": "other"}), cached)
    behaviour(run, BehaviourConfig(metrics=("comments_final",), replicates=20))
    assert pq.read_table(cached).equals(whole)


def test_verdicts_that_come_later_are_measured(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["fd 10"], "s", "t")])
    (before,) = measured(dataset, tmp_path / "m.parquet", workers=1)["runs_final"].to_pylist()
    (state,) = next(iter(dataset.traces())).states
    with verdict_writer(dataset, "v8", version="1") as keep:
        keep(Verdict(id=state.id, verdict="ok", language="coffeescript", end_reached=True, errors=()))
    (after,) = measured(dataset, tmp_path / "m.parquet", workers=1)["runs_final"].to_pylist()
    assert (before, after) == (None, 1.0)


def test_what_other_code_measured_is_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, file = make_dataset(tmp_path / "d", [make_trace(["fd 10"], "s", "t")]), tmp_path / "m.parquet"
    right = measured(dataset, file, workers=1)
    wrong = right.set_column(right.column_names.index("attempts"), "attempts", [[99.0]])
    pq.write_table(wrong.replace_schema_metadata(right.schema.metadata or pq.read_schema(file).metadata), file)
    assert measured(dataset, file, workers=1)["attempts"].to_pylist() == [99]
    monkeypatch.setattr(compared, "code_hash", lambda: "of a metric that was changed")
    assert measured(dataset, file, workers=1)["attempts"].to_pylist() == [1]


def test_a_run_counts_as_running_what_its_rule_does(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "d", [make_trace(["button 'go'"], "s", "t")])
    (state,) = next(iter(dataset.traces())).states
    for rule, verdict in (("corrected", "ok"), ("paper", "error")):
        with verdict_writer(dataset, "v8", version="1", rule=rule) as keep:
            keep(Verdict(id=state.id, verdict=verdict, language="coffeescript", end_reached=False, errors=()))
    found = {}
    for text in ("", '[execute]\nrule = "paper"\n', '[execute]\nrule = "released"\n'):
        (tmp_path / "run.toml").write_text(text)
        rule = open_run(tmp_path).rule
        (found[rule],) = measured(dataset, tmp_path / "m.parquet", workers=1, rule=rule)["runs_final"].to_pylist()
    assert found == {"corrected": 1.0, "paper": 0.0, "released": None}
    (tmp_path / "run.toml").write_text('[execute]\nrule = "papre"\n')
    with pytest.raises(InputError, match=r"unknown rule 'papre' in \[execute\].*paper"):
        _ = open_run(tmp_path).rule


def test_samples_of_another_split_are_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    make_split(
        open_dataset(tmp_path / "class"), SplitConfig(held_students=0.2, held_titles=0.2, seed=99), overwrite=True
    )
    with pytest.raises(DatasetError, match="another split"):
        behaviour(folder)
    assert not (folder / "results").exists()


def test_models_are_compared_on_the_pairs_all_have(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    last = open_dataset(folder / "samples/last")
    traces = [trace for trace in last.traces() if trace.student != "s00"]
    with DatasetWriter(last.path, origin="model", provenance={**last.manifest.provenance, "cut": 1},
                       overwrite=True) as writer:  # fmt: skip
        writer.write_shard(0, traces)
        writer.finish()
    rows = behaviour(folder, BehaviourConfig(metrics=("comments_final",), replicates=20))
    alone = [row for row in rows if row.model and not row.baseline]
    counts = {row.n for row in alone if row.split == "all" and row.metric == "ended_share"}
    lost = len({t.pair for t in open_dataset(folder / "samples/trace").traces() if t.student == "s00"})
    assert lost > 0
    assert len(counts) == 1
    assert all(f"{lost} pairs without samples of every model left out" in (row.note or "") for row in rows if row.model)


def test_unknown_settings_are_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    (folder / "run.toml").write_text('dataset = "../class"\nviews = ["trace"]\n[behaviour]\nreplicate = 5\n')
    with pytest.raises(InputError, match="Did you mean 'replicates'"):
        behaviour(folder)
    with pytest.raises(InputError, match="Did you mean 'comments_final'"):
        BehaviourConfig(metrics=("comment_final",))
    (folder / "run.toml").write_text('dataset = "../class"\nviews = ["nothing"]\n')
    with pytest.raises(DatasetError, match="no samples"):
        behaviour(folder)
    with pytest.raises(InputError, match="not a run"):
        behaviour(tmp_path / "nowhere")


def test_one_student_is_no_crash(tmp_path: Path) -> None:
    folder = make_run(tmp_path, students=6, titles=3, replicates=20)
    data = open_dataset(tmp_path / "class")
    only = next(pair.student for pair, place in load_split(data).of.items() if "seen" in place)
    for view in ("trace", "last", "synthetic"):
        samples = open_dataset(folder / "samples" / view)
        kept = [trace for trace in samples.traces() if trace.student == only]
        with DatasetWriter(samples.path, origin="model", provenance={**samples.manifest.provenance, "cut": 1},
                           overwrite=True) as writer:  # fmt: skip
            writer.write_shard(0, kept)
            writer.finish()
    rows = behaviour(folder)
    assert {row.n_students for row in rows if row.model and row.n} == {1}
    assert all(row.low is None and row.p is None and row.reason for row in rows if row.model)


def test_samples_of_no_test_pair_leave_everything_unscored(tmp_path: Path) -> None:
    folder = make_run(tmp_path, students=6, titles=3)
    split = load_split(open_dataset(tmp_path / "class"))
    train = {pair for pair, place in split.of.items() if place == "train"}
    data = [trace for trace in open_dataset(tmp_path / "class").traces() if trace.pair in train]
    for view in ("trace", "last", "synthetic"):
        samples = open_dataset(folder / "samples" / view)
        with DatasetWriter(samples.path, origin="model", provenance={**samples.manifest.provenance, "cut": 1},
                           overwrite=True) as writer:  # fmt: skip
            writer.write_shard(0, data)
            writer.finish()
    rows = behaviour(folder)
    assert rows
    assert all(row.value is None and row.n == 0 and row.reason for row in rows)
    assert "not testable" in write_report(folder).read_text()


def test_a_model_that_writes_no_whole_program_is_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    last = open_dataset(folder / "samples/last")
    with DatasetWriter(
        last.path, origin="model", provenance={**last.manifest.provenance, "cut": 1}, overwrite=True
    ) as writer:
        writer.write_shard(0, [])
        writer.finish(rejected={"no_state": 9})
    rows = behaviour(folder)
    of_models = [row for row in rows if row.model]
    assert of_models
    assert all(row.value is None for row in of_models)
    judged = judge(rows)
    reasons = {v.reason for v in judged if v.claim.study == "behaviour" and v.row is not None}
    assert reasons == {"no sample of last holds a whole program: too little was learned"}


def test_near_duplicates_are_looked_for_across_titles_too(tmp_path: Path) -> None:
    """`square2` shares `square`'s plan: who trained on one has seen the other."""
    program = "\n".join(f"fd {i}" for i in range(30))
    traces = [
        make_trace([program], "a", "square"), make_trace([program + "1"], "b", "square2"),
        make_trace(["pen red"], "a", "square2"), make_trace(["dot blue"], "b", "square"),
    ]  # fmt: skip
    dataset = make_dataset(tmp_path / "d", traces)
    split = make_split(dataset, SplitConfig(held_students=0, held_titles=0, train_share=1, validation_share=0))
    pairs = [Pair("b", "square2"), Pair("b", "square")]
    split.__dict__["of"] = {**split.of, **dict.fromkeys(pairs, "seen-seen")}
    finals = finals_of(programs_of(dataset), split, pairs)
    assert near_duplicates(finals, pairs, 0.9).tolist() == [True, False]


def test_near_duplicates_and_random_programs(tmp_path: Path) -> None:
    program = "\n".join(f"fd {i}" for i in range(30))
    traces = [make_trace([program], "a"), make_trace([program + "1"], "b"), make_trace(["pen red\ndot blue"], "c")]
    dataset = make_dataset(tmp_path / "d", traces)
    split = make_split(dataset, SplitConfig(held_students=0, held_titles=0, train_share=1, validation_share=0))
    pairs = [Pair("b", "square"), Pair("c", "square")]

    split.__dict__["of"] = {**split.of, **dict.fromkeys(pairs, "seen-seen")}
    finals = finals_of(programs_of(dataset), split, pairs)
    assert finals.train == {"square": [program]}
    assert near_duplicates(finals, pairs, 0.9).tolist() == [True, False]
    assert near_duplicates(finals, pairs, 1.0).tolist() == [False, False]
    scores = random_bleu(finals, pairs, seed=0)
    assert scores[0] > 0.9
    assert scores[1] == 0


def test_points_hold_no_students(run: Path) -> None:
    points = pq.read_table(run / "points-pairs.parquet")
    assert "student" not in points.column_names
    assert set(points["model"].to_pylist()) == {"trace", "synthetic"}
    assert max(points["frequency"].to_pylist()) > 0


def test_levels_say_whether_a_model_does_as_much_as_the_students(run: Path, rows: list[Result]) -> None:
    """No correlation sees that the synthetic model's traces never go back."""
    table = pq.read_table(run / "points-pairs.parquet").to_pandas()
    mine = table[(table["model"] == "synthetic") & (table["split"] == "seen-seen")]
    real = one(rows, metric="backtracking", statistic="mean", split="seen-seen", baseline="real-traces")
    apart = one(rows, metric="backtracking", statistic="mean_difference", split="seen-seen", model="synthetic",
                baseline="real-traces")  # fmt: skip
    assert real.value == pytest.approx(mine["real"].mean())
    assert apart.value == pytest.approx((mine["generated"] - mine["real"]).mean())
    difference = mine["generated"] - mine["real"]
    assert apart.effect_size == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert apart.high is not None
    assert apart.high < 0
    knows = one(rows, metric="comments_final", statistic="mean_difference", split="seen-seen", model="trace",
                baseline="real-traces")  # fmt: skip
    assert knows.low is not None
    assert knows.high is not None
    assert knows.low < 0 < knows.high
    # of traces selected by their length no level is compared: generated ones are not selected
    assert not [row for row in rows if row.baseline == "real-traces" and row.metric == "backtracking_t3"]
    svg = (write_report(run).parent / "figures" / "levels.svg").read_text(encoding="utf-8")
    assert "generated − real, sd" in svg


def test_self_bleu_compares_as_many_programs_as_were_asked_for(tmp_path: Path) -> None:
    """One pair with a single whole program doesn't set the number for all; it is unscored, and counted."""
    folder = make_run(tmp_path, students=12, titles=6)
    made = open_dataset(folder / "samples/trace")
    traces = list(made.traces())
    kept = [trace for trace in traces if trace.pair != traces[0].pair or trace.sample == 0]
    shutil.rmtree(made.path)
    with DatasetWriter(made.path, origin="model", provenance=made.manifest.provenance) as writer:
        writer.write_shard(0, kept)
        writer.finish()
    rows = behaviour(folder, BehaviourConfig(replicates=20, metrics=("comments_final",)))
    mine, other = (
        one(rows, model=view, metric="self_bleu", statistic="mean", split="all") for view in ("trace", "last")
    )
    assert (mine.unscored, other.unscored, mine.n) == (1, 0, other.n - 1)
    assert "among 3 programs" in (mine.note or "")
    report = write_report(folder).read_text(encoding="utf-8")
    assert " among 3<" in report


@pytest.mark.parametrize("empty", [True, False])
def test_every_table_of_samples_says_how_many_hold_a_whole_program(tmp_path: Path, empty: bool) -> None:
    """A third of one view's samples has none: they count as nothing like the student's, and are said to be there."""
    folder = make_run(tmp_path, students=12, titles=6)
    made = open_dataset(folder / "samples/trace")
    traces = [replace(t, states=(), ended=False) if t.sample == 0 and empty else t for t in made.traces()]
    shutil.rmtree(made.path)
    with DatasetWriter(made.path, origin="model", provenance=made.manifest.provenance) as writer:
        writer.write_shard(0, traces)
        writer.finish()
    rows = behaviour(folder, BehaviourConfig(replicates=20, metrics=("comments_final",)))
    bleu = one(rows, model="trace", metric="bleu_final", statistic="mean", split="all")
    whole = 2 * bleu.n if empty else 3 * bleu.n
    assert f"{whole} of {3 * bleu.n} samples hold a whole program" in (bleu.note or "")
    assert bleu.value is not None
    assert (bleu.value < 2 / 3 + 1e-9) or not empty
    said = f"Samples that hold a whole program: trace {whole} of {3 * bleu.n}"
    shown = tables(folder)
    assert len(shown) >= 4
    assert all(said in table.caption for table in shown), "all of them have rows of the trace model"


def test_distances_of_distributions_stand_beside_those_of_halves(run: Path, rows: list[Result]) -> None:
    """The synthetic model never goes back, which many students do; a model that knows them does as often."""
    measured = {side: pq.read_table(run / "metrics" / f"{side}.parquet") for side in ("real", "trace", "synthetic")}
    split = load_split(open_dataset(run.parent / "class")).of
    shares = {
        side: [row["backtracking"] for row in table.select(["student", "title", "backtracking"]).to_pylist()
               if split[Pair(row["student"], row["title"])] == "seen-seen"]
        for side, table in measured.items()
    }  # fmt: skip
    halves = one(rows, metric="backtracking", statistic="ks", split="seen-seen", baseline="real-halves")
    for side in ("trace", "synthetic"):
        apart = one(rows, metric="backtracking", statistic="ks", split="seen-seen", model=side, baseline="real-traces")
        assert apart.value == pytest.approx(ks_2samp(shares["real"], shares[side]).statistic)
        assert (known(apart.value) > known(halves.high)) == (side == "synthetic")
        assert apart.unit == "share of traces"
        assert apart.p is None
    assert not [row for row in rows if row.statistic == "ks" and row.model == "last" and row.metric == "backtracking"]
    report = write_report(run).read_text(encoding="utf-8")
    assert "of two halves" in report
    drawn = pq.read_table(run / "points-distances.parquet").to_pylist()
    assert {row["baseline"] for row in drawn if row["model"] is None} == {"real-halves"}
