"""Neural caches: the mixture, what of a student's work may be known when, and that deleting a file forgets."""

from __future__ import annotations

import json
import math
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from factories import make_dataset, make_trace
from redraft.cli import main
from redraft.data.split import SplitConfig, load_split, make_split
from redraft.data.store import Dataset
from redraft.data.trace import Trace
from redraft.errors import DatasetError
from redraft.lm.batch import Encoded
from redraft.lm.bits import bits_of, bits_with
from redraft.lm.checkpoint import Model, load_model
from redraft.lm.codec import CODECS, CodecConfig
from redraft.lm.decode import Mix
from redraft.lm.fast.mixture import mixed as compiled_mixed
from redraft.lm.neural_cache import mixture
from redraft.lm.neural_cache.fit import START, fit
from redraft.lm.neural_cache.mixture import Mixing, Past
from redraft.lm.neural_cache.store import NeuralCache, make_cache, open_cache, student_file
from redraft.lm.neural_cache.work import Work, works
from redraft.lm.score import score
from redraft.lm.train import train
from redraft.lm.voice import own
from toy import TOY, prepare_torch

DAY = datetime(2020, 1, 1, 9, tzinfo=UTC)
STRONG = Mixing(sharpness=20.0, ceiling=0.3, slope=5.0, offset=0.0)
TITLES = ("square", "star", "house", "spiral")


def class_of(folder: Path, *, times: bool = True) -> Dataset:
    """Ten students, each with a colour; a title a day, in the order of `TITLES`."""
    colours = ("red", "blue", "green", "pink", "gold")
    traces = []
    for s in range(10):
        for day, title in enumerate(TITLES):
            pen = f"pen {colours[s % 5]}"
            codes = [pen, f"{pen}\nfd {10 * day}", f"{pen}\nfd {10 * day}\nrt 90"]
            traces.append(make_trace(codes, student=f"s{s}", title=title, start=DAY + timedelta(days=day)))
    if not times:
        traces = [replace(t, states=tuple(replace(state, at=None) for state in t.states)) for t in traces]
    return make_dataset(folder, traces, origin="simulated")


@pytest.fixture(scope="module", params=CODECS)
def toy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Model]:
    prepare_torch()
    folder = tmp_path_factory.mktemp("toy")
    dataset = class_of(folder / "data")
    split = make_split(dataset, SplitConfig(held_students=2, held_titles=1, validation_share=0.2))
    options = CodecConfig(title_tokens=8, overlap=16, relative_time=True)
    config = replace(TOY, codec=request.param, codec_options=options, steps=60)
    return dataset, train(dataset, split=split, view="trace", out=folder / "model", config=config)


@pytest.fixture
def cache(toy: tuple[Dataset, Model], tmp_path: Path) -> NeuralCache:
    dataset, model = toy
    make_cache(model, dataset, out=tmp_path / "cache", split=load_split(dataset, "default"))
    return open_cache(tmp_path / "cache", model)


# The mixture


def slowly(logits_V: np.ndarray, hidden_D: np.ndarray, past: Past) -> np.ndarray:
    """The mixture's probabilities of one place, a key at a time."""
    mixing = past.mixing
    model_V = np.exp(logits_V - logits_V.max())
    model_V /= model_V.sum()
    cache_V, nearest = np.zeros(len(logits_V)), -1.0
    for key_D, value in zip(past.keys.double().numpy(), past.values.tolist(), strict=True):
        cosine = float(hidden_D @ key_D) / math.sqrt(float(hidden_D @ hidden_D))
        nearest = max(nearest, cosine)
        cache_V[value] += math.exp(mixing.sharpness * cosine)
    cache_V /= cache_V.sum()
    share = mixing.ceiling / (1 + math.exp(-(mixing.slope * nearest + mixing.offset)))
    mixture_V: np.ndarray = (1 - share) * model_V + share * cache_V
    return mixture_V


@pytest.mark.parametrize("mixed", [mixture.mixed, compiled_mixed])
def test_the_mixture_is_its_definition(mixed: Mix) -> None:
    rng = np.random.default_rng(0)
    keys_KD = rng.normal(size=(12, 5))
    keys_KD /= np.linalg.norm(keys_KD, axis=1, keepdims=True)
    past = Past(torch.from_numpy(keys_KD), torch.from_numpy(rng.integers(0, 9, 12)), STRONG)
    logits_NV, hidden_ND = rng.normal(size=(7, 9)), 3 * rng.normal(size=(7, 5))
    found = mixed(torch.from_numpy(logits_NV), torch.from_numpy(hidden_ND), past).exp().numpy()
    expected = [slowly(*each, past) for each in zip(logits_NV, hidden_ND, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found.sum(1) == pytest.approx(1, abs=1e-12)


def test_bits_are_the_mixtures(toy: tuple[Dataset, Model]) -> None:
    dataset, model = toy
    traces = [trace for trace in dataset.traces() if trace.student == "s0"]
    ids = model.codec.encode(traces[1])
    work = works(model, traces, load_split(dataset, "default"))["s0"]
    past = work.before(traces[1].title, datetime.max.replace(tzinfo=UTC), STRONG)
    assert past
    row = model.students.row("s0")
    ((with_past_N, alone_N),) = bits_with(model, [Encoded(ids, row)], [past], batch_tokens=64)
    assert len(ids) < model.lm.context
    with torch.no_grad():
        output = model.lm.lm(
            inputs_embeds=torch.cat([
                model.lm.students(torch.tensor([row])),
                model.lm.lm.get_input_embeddings()(torch.tensor(ids)),
            ])[None], output_hidden_states=True,
        )  # fmt: skip
    logits_LV, hidden_LD = output.logits[0].double().numpy(), output.hidden_states[-1][0].double().numpy()
    for i in np.flatnonzero(model.codec.charged(ids)):
        expected = -math.log2(slowly(logits_LV[i], hidden_LD[i], past)[ids[i]])
        assert with_past_N[i] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert not with_past_N[~model.codec.charged(ids)].any()  # what is given costs nothing
    (without,) = bits_of(model, [Encoded(ids, row)], [own], batch_tokens=64)
    assert (alone_N == without[0]).all()


# What may be known


def keys_of(past: Past | None) -> int:
    return len(past.values) if past else 0


def known_titles(work: Work, past: Past | None) -> set[str]:
    """The titles a past's keys are of."""
    if past is None:
        return set()
    rows = {tuple(key): work.titles[trace] for key, trace in zip(work.keys.tolist(), work.trace, strict=True)}
    return {rows[tuple(key)] for key in past.keys.tolist()}


def work_of(traces: list[Trace], trained: set[str]) -> Work:
    """Work whose keys are numbered, one per state."""
    counts = [len(trace.states) for trace in traces]
    times = [[state.at for state in trace.states] for trace in traces]
    never = np.iinfo(np.int64).min
    at = [[never if None in some else round(each.timestamp() * 1e6) for each in some if each] or [never] * len(some)
          for some in times]  # fmt: skip
    return Work(
        keys=torch.arange(sum(counts))[:, None].half(),
        values=torch.arange(sum(counts)),
        at=np.concatenate([np.array(each, np.int64) for each in at]),
        trace=np.repeat(np.arange(len(traces), dtype=np.int32), counts),
        titles=tuple(trace.title for trace in traces),
        begun=np.array([each[0] for each in at], np.int64),
        trained=np.array([trace.title in trained for trace in traces]),
    )


def test_only_earlier_work_on_other_titles_is_known() -> None:
    traces = [make_trace(["a", "b"], title=title, start=DAY + timedelta(days=day)) for day, title in enumerate(TITLES)]
    work = work_of(traces, trained=set(TITLES))
    for day, title in enumerate(TITLES):
        past = work.before(title, DAY + timedelta(days=day), STRONG)
        assert known_titles(work, past) == set(TITLES[:day])
    late = DAY + timedelta(days=9)
    assert known_titles(work, work.before("star", late, STRONG)) == {"square", "house", "spiral"}  # never its own title
    assert known_titles(work, work.before("new", late, STRONG, latest=2)) == {"house", "spiral"}
    assert keys_of(work.before("new", late, STRONG, most=3)) == 3
    assert work.before("new", DAY, STRONG) is None  # begun at the same moment isn't before


def test_of_a_trace_that_goes_on_only_what_happened_before_is_known() -> None:
    long = make_trace(["a", "b", "c", "d"], title="long", gap=3600)
    work = work_of([long], trained={"long"})
    assert keys_of(work.before("new", DAY + timedelta(hours=1, minutes=1), STRONG)) == 2
    assert keys_of(work.before("new", DAY + timedelta(hours=3), STRONG)) == 3


def test_without_times_only_what_the_model_was_trained_on_is_known() -> None:
    traces = [make_trace(["a"], title=title) for title in TITLES]
    untimed = [replace(t, states=tuple(replace(state, at=None) for state in t.states)) for t in traces]
    work = work_of(untimed, trained={"star", "house"})
    assert known_titles(work, work.before("square", None, STRONG)) == {"star", "house"}
    assert known_titles(work, work.before("star", DAY, STRONG)) == {"house"}
    timed = work_of(traces, trained={"star", "house"})
    assert known_titles(timed, timed.before("square", None, STRONG)) == {"star", "house"}


def test_keys_are_hidden_states_and_values_the_charged_ids_that_follow(toy: tuple[Dataset, Model]) -> None:
    dataset, model = toy
    traces = [trace for trace in dataset.traces() if trace.student == "s3"]
    work = works(model, traces, load_split(dataset, "default"))["s3"]
    assert work.titles == TITLES  # in the order in which they began
    start = 0
    for title in TITLES:
        (trace,) = (trace for trace in traces if trace.title == title)
        ids = model.codec.encode(trace)
        charged = torch.from_numpy(model.codec.charged(ids))
        rows = torch.tensor([model.students.row("s3")])
        with torch.no_grad():
            read = model.lm.lm.base_model(inputs_embeds=torch.cat([
                model.lm.students(rows), model.lm.lm.get_input_embeddings()(torch.tensor(ids))
            ])[None])  # fmt: skip
        hidden_ND = torch.nn.functional.normalize(read.last_hidden_state[0, :-1], dim=-1)[charged]
        stop = start + len(hidden_ND)
        torch.testing.assert_close(work.keys[start:stop].float(), hidden_ND, rtol=2e-3, atol=1e-3)
        assert work.values[start:stop].tolist() == torch.tensor(ids)[charged].tolist()
        start = stop
    assert start == len(work.values)


def test_fitting_makes_validation_traces_cost_less(toy: tuple[Dataset, Model]) -> None:
    dataset, model = toy
    split = load_split(dataset, "default")
    of = works(model, dataset.traces(), split)
    made = fit(model, [*split.select(dataset.traces(), "validation")], of)
    assert made.traces
    assert made.bits < made.bits_without
    assert 0 < made.mixing.ceiling <= 0.3
    nothing = fit(model, [next(dataset.traces())], {})
    assert (nothing.mixing, nothing.traces) == (START, 0)


# On disk, and in scores


def rows(out: Path, name: str) -> list[dict[str, Any]]:
    return list(pq.read_table(out / f"{name}.parquet").to_pylist())


def test_scores_say_what_the_cache_is_worth(toy: tuple[Dataset, Model], cache: NeuralCache, tmp_path: Path) -> None:
    dataset, model = toy
    made = score(model, dataset, out=tmp_path / "with", cache=cache, unknown=True)
    score(model, dataset, out=tmp_path / "without", unknown=True)
    assert made.remembered == 30  # of forty, all but each student's first
    for ours, plain in zip(rows(tmp_path / "with", "traces"), rows(tmp_path / "without", "traces"), strict=True):
        first = ours["title"] == TITLES[0]
        assert (ours["keys"] == 0) == first
        assert ours["uncached_bits"] == plain["bits"]
        assert ours["unknown_bits"] == plain["unknown_bits"]
        assert ours["gained_over_uncached"] == ours["uncached_bits"] - ours["bits"]
        # nothing came before: the same to the last bit
        assert (ours["bits"] == plain["bits"]) == first
    manifest = json.loads((tmp_path / "with" / "manifest.json").read_text())
    assert set(manifest["columns"]) == set(rows(tmp_path / "with", "traces")[0]) | set(
        rows(tmp_path / "with", "states")[0]
    )
    assert "keys" not in rows(tmp_path / "without", "traces")[0]


def test_deleting_a_students_file_forgets_them(toy: tuple[Dataset, Model], cache: NeuralCache, tmp_path: Path) -> None:
    dataset, model = toy
    file = student_file(cache.folder, "s1")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert cache.past("s1", "spiral", DAY + timedelta(days=3))
    file.unlink()
    left = open_cache(cache.folder, model)
    assert left.past("s1", "spiral", DAY + timedelta(days=3)) is None
    assert left.past("s2", "spiral", DAY + timedelta(days=3))
    score(model, dataset, out=tmp_path / "scores", cache=left)
    for row in rows(tmp_path / "scores", "traces"):
        if row["student"] == "s1":
            assert row["keys"] == 0
            assert row["bits"] == row["uncached_bits"]
    assert '"s1"' not in (cache.folder / "neural-cache.json").read_text()


def test_a_cache_of_another_model_is_refused(toy: tuple[Dataset, Model], cache: NeuralCache) -> None:
    _, model = toy
    other = replace(model, lm=type(model.lm)(model.lm.lm, model.lm.students, model.lm.placeholder_id))
    with torch.no_grad():
        before = model.lm.students.bias.clone()
        other.lm.students.bias.add_(1)
        with pytest.raises(DatasetError, match="another model"):
            open_cache(cache.folder, other)
        other.lm.students.bias.copy_(before)
    with pytest.raises(DatasetError, match="not a neural cache"):
        open_cache(cache.folder / "students", model)


@pytest.mark.parametrize(
    "fits", [{}, {"known": {}}, {"known": {"mixing": 1}, "unknown": {"mixing": {"no": 1}}}], ids=str
)
def test_a_cache_that_does_not_say_how_much_is_mixed_in_is_refused(
    toy: tuple[Dataset, Model], cache: NeuralCache, fits: dict[str, Any]
) -> None:
    file = cache.folder / "neural-cache.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "fits": fits, "seal": None}))
    with pytest.raises(DatasetError, match="how much is mixed in"):
        open_cache(cache.folder, toy[1])


def test_other_datasets_students_take_the_numbers_of_another_cache(
    toy: tuple[Dataset, Model], cache: NeuralCache, tmp_path: Path
) -> None:
    _, model = toy
    newcomers = make_dataset(
        tmp_path / "newcomers", [replace(trace, student="new") for trace in toy[0].traces() if trace.student == "s0"]
    )
    with pytest.raises(DatasetError, match="split"):
        make_cache(model, newcomers, out=tmp_path / "theirs", split=None)
    make_cache(model, newcomers, out=tmp_path / "theirs", split=None, like=cache)
    theirs = open_cache(tmp_path / "theirs", model)
    past = theirs.past("new", "star", DAY + timedelta(days=1))
    assert past
    assert past.mixing == cache.mixings["unknown"]
    assert theirs.past_of_pair("new", "square") is None  # their first
    assert keys_of(theirs.past_of_pair("new", "star")) == len(past.values)


def test_the_commands(toy: tuple[Dataset, Model], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset, model = toy
    folder = next(path for path in dataset.path.parent.iterdir() if path.name == "model")
    assert load_model(folder).fingerprint == model.fingerprint
    kept, out = str(tmp_path / "cache"), str(tmp_path / "scores")
    with pytest.raises(SystemExit, match="0"):
        main(["neural-cache", str(folder), "--dataset", str(dataset.path), "--out", kept])
    said = capsys.readouterr().out
    assert "10 students" in said
    assert "without" in said
    with pytest.raises(SystemExit, match="0"):
        main(["score", str(dataset.path), "--model", str(folder), "--neural-cache", kept, "--out", out])
    assert "40 traces" in capsys.readouterr().out
