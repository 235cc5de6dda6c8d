"""Scores: every state's bits, and that they are those the model is trained and judged by."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from accelerate import Accelerator

from factories import make_dataset, make_trace
from places import ROOT
from redraft.cli import main
from redraft.data.split import SplitConfig, load_split, make_split
from redraft.data.store import Dataset
from redraft.data.trace import Pair
from redraft.errors import DatasetError, InputError, UsageError
from redraft.lm import score as scoring
from redraft.lm.batch import encode
from redraft.lm.checkpoint import Model, load_model, save_model
from redraft.lm.codec import CODECS, CodecConfig
from redraft.lm.codec.base import Codec
from redraft.lm.prepare import from_scratch
from redraft.lm.score import COLUMNS, score
from redraft.lm.settings import PRESETS
from redraft.lm.train import train
from redraft.lm.validate import validate
from redraft.lm.voice import nobody
from toy import TOY, prepare_torch, toy_dataset

SHORT = CodecConfig(title_tokens=8, overlap=16, relative_time=True)


@pytest.fixture(scope="module", params=CODECS)
def toy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Model, Path]:
    """A dataset with a trace of many contexts, and a model of it."""
    prepare_torch()
    folder = tmp_path_factory.mktemp("toy")
    small, _ = toy_dataset(folder / "small")
    codes = [f"pen red\nfd {i}\n" + "rt 90\n" * (i % 7) for i in range(40)]
    codes[20] = "\n".join(f"fd {i}" for i in range(90))  # an edit longer than the context
    long = make_trace(codes, student="s0", title="long")
    cut_off = replace(make_trace(["pen red", "pen red\nfd 9"], student="newcomer", title="square"), ended=False)
    dataset = make_dataset(folder / "data", [*small.traces(), long, cut_off], origin="simulated")
    split = make_split(dataset, SplitConfig(held_students=2, held_titles=1, validation_share=0.1))
    config = replace(TOY, codec=request.param, codec_options=SHORT, steps=60)
    return dataset, train(dataset, split=split, view="trace", out=folder / "model", config=config), folder


def rows(out: Path, name: str) -> list[dict[str, Any]]:
    return list(pq.read_table(out / f"{name}.parquet").to_pylist())


KEY = ("student", "title", "sample", "request")


def test_states_add_up_to_the_bits_that_training_reports(toy: tuple[Dataset, Model, Path], tmp_path: Path) -> None:
    dataset, model, _ = toy
    made = score(model, dataset, out=tmp_path / "s", unknown=True, other="s1")
    traces, states = rows(tmp_path / "s", "traces"), rows(tmp_path / "s", "states")
    assert (made.traces, made.states) == (len(dataset), dataset.manifest.states) == (len(traces), len(states))
    chunks = encode(dataset.traces(), model.codec, model.students, model.lm.context)
    assert len(chunks) > len(dataset) + 3  # one is longer than the context
    voices = {
        "": lambda rows_B: rows_B,
        "unknown_": nobody,
        "other_": lambda rows_B: torch.full_like(rows_B, model.students.row("s1")),
    }
    for name, voice in voices.items():
        expected = validate(model.lm, chunks, model.codec, Accelerator(), batch_tokens=1024, voice=voice)
        bits = [trace[f"{name}bits"] for trace in traces]
        assert np.mean(bits) == pytest.approx(expected.bits.sum() / len(traces), rel=1e-6)
    assert made.bits_per_trace == pytest.approx(np.mean([trace["bits"] for trace in traces]))
    of: dict[tuple[Any, ...], list[dict[str, Any]]] = {tuple(trace[name] for name in KEY): [] for trace in traces}
    for state in states:
        of[tuple(state[name] for name in KEY)].append(state)
    for trace, whole in zip(traces, dataset.traces(), strict=True):
        own = of[tuple(trace[name] for name in KEY)]
        assert [state["state"] for state in own] == list(range(1, len(whole.states) + 1))
        assert [state["characters"] for state in own] == [len(state.code) for state in whole.states]
        for name in ("bits", "time_bits", "edit_bits", "tokens", "characters", "unknown_bits", "gained_over_other"):
            assert sum(state[name] for state in own) == pytest.approx(trace[name], abs=1e-6)
        assert own[-1]["cumulative_bits"] == pytest.approx(trace["bits"])
        assert [state["ending_bits"] is None for state in own] == [True] * (len(own) - 1) + [not whole.ended]
        assert trace["ending_bits"] == own[-1]["ending_bits"]


def test_an_edit_has_the_probability_that_the_model_gives_it(toy: tuple[Dataset, Model, Path], tmp_path: Path) -> None:
    """Id by id, with a prefix and a header as sampling makes them."""
    dataset, model, _ = toy
    score(model, dataset, out=tmp_path / "s", splits=["seen-seen"])
    found = {(row["student"], row["title"], row["state"]): row for row in rows(tmp_path / "s", "states")}
    split = load_split(dataset)
    checked = 0
    for trace in split.select(dataset.traces(), "seen-seen"):
        codec, students = model.codec, torch.tensor([model.students.row(trace.student)])
        if len(codec.encode(trace)) >= model.lm.context:
            continue
        before = None
        for n, state in enumerate(trace.states, 1):
            given = codec.prefix(trace.title, trace.states[: n - 1]) + codec.header(n, state.at, before)
            then = codec.prefix(trace.title, trace.states[:n])
            ids_BL = torch.tensor([[codec.student_id, *then]])
            with torch.inference_mode():
                nats_LV = model.lm(ids_BL, students).logits[0].log_softmax(-1)
            chosen = [float(nats_LV[i, token]) for i, token in enumerate(then) if i >= len(given)]
            row = found[trace.student, trace.title, n]
            assert row["edit_probability"] == pytest.approx(np.exp(sum(chosen)), rel=1e-4)
            before = state.at
        end = float(nats_LV[len(then), codec.end_id])
        assert row["ending_probability"] == pytest.approx(np.exp(end), rel=1e-4)
        checked += 1
    assert checked >= 3


def test_strangers_are_read_as_unknown_and_splits_are_told(toy: tuple[Dataset, Model, Path], tmp_path: Path) -> None:
    dataset, model, _ = toy
    made = score(model, dataset, out=tmp_path / "s", unknown=True)
    split = load_split(dataset)
    traces = rows(tmp_path / "s", "traces")
    assert made.strangers == sum(not trace["known"] for trace in traces) > 3
    for trace in traces:
        assert trace["known"] == (trace["student"] in model.students)
        assert (trace["gained_over_unknown"] == 0) == (not trace["known"])
        assert trace["split"] == split.of[Pair(trace["student"], trace["title"])]
    some = score(model, dataset, out=tmp_path / "some", splits=["seen-seen", "validation"])
    assert some.traces == sum(trace["split"] in ("seen-seen", "validation") for trace in traces)


def test_another_dataset_is_scored_and_another_split_refused(toy: tuple[Dataset, Model, Path], tmp_path: Path) -> None:
    dataset, model, _ = toy
    foreign = make_dataset(tmp_path / "f", [make_trace(["fd 1"], student="s0", title="square")])
    score(model, foreign, out=tmp_path / "s")
    assert [row["split"] for row in rows(tmp_path / "s", "traces")] == [None]
    with pytest.raises(DatasetError, match="split"):
        score(model, foreign, out=tmp_path / "t", splits=["seen-seen"])
    make_split(foreign, SplitConfig(held_students=0, held_titles=0))
    score(model, foreign, out=tmp_path / "u")
    assert [row["split"] for row in rows(tmp_path / "u", "traces")] == [None]
    with pytest.raises(DatasetError, match="another split"):
        score(model, foreign, out=tmp_path / "t", splits=["seen-seen"])
    changed = replace(model, card={**model.card, "split_hash": "0" * 64})
    with pytest.raises(DatasetError, match="another split"):
        score(changed, dataset, out=tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_what_cannot_be_is_said(toy: tuple[Dataset, Model, Path], tmp_path: Path) -> None:
    dataset, model, _ = toy
    with pytest.raises(InputError, match="has not met the student 'nobody'"):
        score(model, dataset, out=tmp_path / "s", other="nobody")
    with pytest.raises(UsageError, match="seen-seen"):
        score(model, dataset, out=tmp_path / "s", splits=["seen-seem"])
    with pytest.raises(UsageError, match="batch_tokens"):
        score(model, dataset, out=tmp_path / "s", batch_tokens=0)
    with pytest.raises(InputError, match="no traces"):
        score(model, dataset, out=tmp_path / "s", splits=["forward"])
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(DatasetError, match="left alone"):
        score(model, dataset, out=tmp_path / "mine")


def test_a_codec_of_another_model_is_refused(toy: tuple[Dataset, Model, Path], tmp_path: Path) -> None:
    _, model, _ = toy
    small = replace(model, lm=type(model.lm)(model.lm.lm, model.lm.students, model.lm.placeholder_id))
    small.lm.lm = from_scratch(PRESETS["toy"], replace_vocabulary(model.codec, 100))
    save_model(tmp_path / "m", small)
    with pytest.raises(DatasetError, match=f"{model.codec.vocab_size} ids"):
        load_model(tmp_path / "m")


def replace_vocabulary(codec: Codec, size: int) -> Codec:
    other = type(codec)(codec.tokenizer, codec.config)
    other.vocab_size = size
    return other


# Killed, done, and on the command line


def test_a_killed_run_goes_on_with_what_is_missing(
    toy: tuple[Dataset, Model, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, model, _ = toy
    monkeypatch.setattr(scoring, "PART", 6)
    score(model, dataset, out=tmp_path / "whole")
    tables, calls = scoring._tables, []

    def dying(*arguments: Any) -> dict[str, pa.Table]:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return tables(*arguments)

    monkeypatch.setattr(scoring, "_tables", dying)
    with pytest.raises(KeyboardInterrupt):
        score(model, dataset, out=tmp_path / "s")
    assert not (tmp_path / "s").exists()
    with pytest.raises(DatasetError, match="beginnings of other scores"):
        score(model, dataset, out=tmp_path / "s", unknown=True)
    score(model, dataset, out=tmp_path / "s")
    assert len(calls) == 1 + -(-len(dataset) // 6)  # three were there
    for name in ("states.parquet", "traces.parquet", "manifest.json"):
        assert (tmp_path / "s" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list(tmp_path.glob("*.partial"))
    score(model, dataset, out=tmp_path / "s")
    assert len(calls) == 1 + -(-len(dataset) // 6)  # done is done
    with pytest.raises(DatasetError, match="--overwrite"):
        score(model, dataset, out=tmp_path / "s", unknown=True)
    score(model, dataset, out=tmp_path / "s", unknown=True, overwrite=True)
    assert "unknown_bits" in pq.read_schema(tmp_path / "s" / "traces.parquet").names


def test_feedback_is_given_and_its_lack_said(tmp_path: Path) -> None:
    prepare_torch()
    dataset, split = toy_dataset(tmp_path / "data")
    verdicts = [
        {"id": s.id, "verdict": "error", "errors": [{"message": "x"}]} for t in dataset.traces() for s in t.states
    ]
    pq.write_table(pa.Table.from_pylist(verdicts), dataset.path / "verdicts-v8.parquet")
    config = replace(TOY, codec="diff", codec_options=replace(SHORT, feedback=True), steps=2)
    model = train(dataset, split=split, view="trace", out=tmp_path / "m", config=config)
    score(model, dataset, out=tmp_path / "s")
    (dataset.path / "verdicts-v8.parquet").unlink()
    with pytest.raises(InputError, match="no verdicts"):
        score(model, dataset, out=tmp_path / "t")


def test_the_command_scores_and_says_what_is_wrong(
    toy: tuple[Dataset, Model, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, _, folder = toy
    command = ["score", str(dataset.path), "--model", str(folder / "model")]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--unknown", "--out", str(tmp_path / "s")])
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert f"{len(dataset)} traces" in said.out
    assert "has not met: read with the unknown student" in " ".join(said.err.split())
    meanings = json.loads((tmp_path / "s" / "manifest.json").read_text())["columns"]
    for name in ("states", "traces"):
        for field in pq.read_schema(tmp_path / "s" / f"{name}.parquet"):
            assert field.metadata[b"description"].decode() == meanings[field.name]
    with pytest.raises(SystemExit) as ended:
        main(["score", str(dataset.path), "--model", str(tmp_path), "--out", str(tmp_path / "t")])
    assert ended.value.code == 1
    assert "is not a model" in " ".join(capsys.readouterr().err.split())


def test_every_column_is_in_the_docs() -> None:
    page = (ROOT / "docs" / "scores.md").read_text()
    assert not [name for name in COLUMNS if f"`{name}`" not in page]
