"""Vectors fitted to newcomers: they learn, alone or in a crowd alike, and nothing else moves."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from factories import make_dataset, make_trace
from newcomers import newcomer_class, newcomer_model
from redraft.cli import app
from redraft.data.trace import Trace
from redraft.errors import InputError
from redraft.lm.adapt import beginnings, fit_students, fitting, steps, unknown_rows, with_fits
from redraft.lm.batch import Encoded
from redraft.lm.bits import bits_of
from redraft.lm.checkpoint import Model, load_model, save_model
from redraft.lm.model import UNKNOWN
from redraft.lm.settings import FitConfig
from redraft.lm.voice import own

EPOCHS = 8
WIDTH = 32


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("fit")
    dataset, split = newcomer_class(folder / "data")
    return newcomer_model(folder / "model", dataset, split)


def traces_of(student: str, colour: str, n: int) -> list[Trace]:
    codes = [f"pen {colour}", f"pen {colour}\ndot {colour}", f"pen {colour}\ndot {colour}\nbox {colour}"]
    return [make_trace(codes, student, f"title{i}" + "a" * i) for i in range(n)]


def encoded(model: Model, *of: list[Trace]) -> list[Encoded]:
    return [Encoded(ids, fit) for fit, traces in enumerate(of) for ids in model.codec.encode_many(traces)]


def fitted(model: Model, crowd: list[Encoded], config: FitConfig) -> torch.Tensor:
    start = beginnings(model, unknown_rows(model, 1 + max(one.row for one in crowd)), config)
    *_, last = islice(fitting(model, crowd, start, config), EPOCHS)
    return last


@pytest.mark.parametrize("trains", ["vector", "mlp"])
@pytest.mark.parametrize("batch", [32, 3])
def test_a_fit_is_the_same_alone_and_in_a_crowd(model: Model, trains: Literal["vector", "mlp"], batch: int) -> None:
    config = FitConfig(trains=trains, lr=1e-2, batch=batch)
    red, gold, blue = traces_of("a", "red", 4), traces_of("b", "pink", 1), traces_of("c", "blue", 4)
    crowd = fitted(model, encoded(model, red, gold, blue), config)
    assert crowd.shape[1] == (64 if trains == "vector" else 64 + 64 * WIDTH)
    for fit, traces in enumerate((red, gold, blue)):
        alone = fitted(model, encoded(model, traces), config)
        torch.testing.assert_close(crowd[fit], alone[0], rtol=1e-4, atol=1e-5)
    pieces = fitted(model, encoded(model, red, gold, blue), replace(config, batch_tokens=1))
    torch.testing.assert_close(crowd, pieces, rtol=1e-4, atol=1e-5)


def test_a_fit_is_what_torchs_adam_comes_to(model: Model) -> None:
    """One student, full batches: plain gradient descent on the mean loss of all learned tokens, written out."""
    config = FitConfig(lr=1e-2)
    some = encoded(model, traces_of("a", "red", 3))
    row = unknown_rows(model, 1)[0].requires_grad_(True)
    adam = torch.optim.Adam([row], lr=1e-2)
    module, codec = model.lm.students, model.codec
    for _ in range(EPOCHS):
        nats, n = torch.zeros(()), 0
        for one in some:
            soft = module.out(torch.relu(row + module.bias))[None]
            embedded = torch.cat([soft, model.lm.lm.get_input_embeddings()(torch.tensor(one.ids))])
            logits = model.lm.lm(inputs_embeds=embedded[None]).logits[0, :-1].log_softmax(-1)
            keep = torch.from_numpy(codec.learned(one.ids))
            nats = nats - logits.gather(1, torch.tensor(one.ids)[:, None])[keep].sum()
            n += int(keep.sum())
        adam.zero_grad()
        (nats / n).backward()
        adam.step()
    torch.testing.assert_close(fitted(model, some, config)[0], row.detach(), rtol=1e-4, atol=1e-5)
    model.lm.zero_grad()


@pytest.mark.parametrize("trains", ["vector", "mlp"])
def test_own_traces_cost_fewer_bits_than_with_anothers_vector_and_the_model_stays(
    model: Model, trains: Literal["vector", "mlp"]
) -> None:
    before = {name: tensor.clone() for name, tensor in model.lm.state_dict().items()}
    learning = [parameter.requires_grad for parameter in model.lm.parameters()]
    config = FitConfig(trains=trains, lr=1e-1)
    red, gold = traces_of("a", "red", 3), traces_of("b", "pink", 3)
    numbers = fitted(model, encoded(model, red, gold), config)
    test = encoded(model, traces_of("a", "red", 4)[3:], traces_of("b", "pink", 4)[3:])
    knowing = replace(model, lm=with_fits(model, numbers))
    bits = [cost.sum(1) for cost in bits_of(knowing, test, [own, lambda rows_B: 1 - rows_B], batch_tokens=512)]
    start = replace(model, lm=with_fits(model, unknown_rows(model, 2)))
    unknown = [cost.sum() for cost in bits_of(start, test, [own], batch_tokens=512)]
    for (mine, others), nobodys in zip(bits, unknown, strict=True):
        assert mine < nobodys
        assert mine < others - 4
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.lm.state_dict().items())
    assert [parameter.requires_grad for parameter in model.lm.parameters()] == learning
    assert all(parameter.grad is None for parameter in model.lm.parameters())


def test_fits_without_traces_stay_as_they_began(model: Model) -> None:
    some = [Encoded(one.ids, 1) for one in encoded(model, traces_of("a", "red", 2))]
    start = unknown_rows(model, 3)
    first = next(fitting(model, some, start, FitConfig()))
    assert torch.equal(first[[0, 2]], start[[0, 2]])
    assert not torch.equal(first[1], start[1])
    assert torch.equal(next(fitting(model, [], start, FitConfig())), start)


def test_every_epoch_each_fit_sees_each_of_its_chunks_once() -> None:
    fits = np.array([0, 2, 0, 2, 2, 0, 2, 2, 7], np.int32)
    for epoch in range(3):
        found = steps(fits, 2, epoch)
        assert sorted(np.concatenate(found)) == list(range(len(fits)))
        assert [np.bincount(fits[which], minlength=8)[[0, 2, 7]].tolist() for which in found] == [
            [2, 2, 1], [1, 2, 0], [0, 1, 0],
        ]  # fmt: skip
    assert steps(fits[:0], 2, 0) == []
    orders = {str([which.tolist() for which in steps(fits, 2, epoch)]) for epoch in range(5)}
    assert len(orders) > 1


def test_students_are_fitted_and_saved(model: Model, tmp_path: Path) -> None:
    known = model.students.students[0]
    traces = [*traces_of("new a", "red", 3), *traces_of("new b", "pink", 3), *traces_of(known, "blue", 2)]
    grown = fit_students(model, traces, FitConfig(lr=3e-2, epochs=EPOCHS))
    save_model(tmp_path / "grown", grown)
    loaded = load_model(tmp_path / "grown")
    assert loaded.students.students == (*model.students.students, "new a", "new b")
    rows = loaded.lm.students.rows.weight
    assert torch.equal(rows[: len(model.students) + 1], model.lm.students.rows.weight)
    alone = fitted(model, encoded(model, traces_of("new b", "pink", 3)), FitConfig(lr=3e-2))
    torch.testing.assert_close(rows[loaded.students.row("new b")], alone[0], rtol=1e-4, atol=1e-5)
    assert not torch.equal(rows[loaded.students.row("new a")], rows[UNKNOWN])
    assert loaded.card["students_fitted"]["epochs"] == EPOCHS


def test_the_command_fits_a_datasets_new_students(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path / "model", model)
    traces = [*traces_of("new a", "red", 3), *traces_of("new b", "pink", 2)]
    dataset = make_dataset(tmp_path / "data", traces)
    command = [
        "add-students",
        str(tmp_path / "model"),
        "--dataset",
        str(dataset.path),
        "--out",
        str(tmp_path / "grown"),
    ]
    app([*command, "--fit", "--epochs", "2", "--lr", "0.1"], result_action="return_value")
    loaded = load_model(tmp_path / "grown")
    there = fit_students(model, traces, FitConfig(epochs=2, lr=0.1))
    for student in ("new a", "new b"):
        row = loaded.lm.students.rows.weight[loaded.students.row(student)]
        torch.testing.assert_close(row, there.lm.students.rows.weight[there.students.row(student)])


def test_what_cannot_be_is_said(model: Model) -> None:
    with pytest.raises(InputError, match="knows all"):
        fit_students(model, [make_trace(["fd 1"], model.students.students[0])])
    with pytest.raises(InputError, match="only vectors"):
        fit_students(model, traces_of("new", "red", 1), FitConfig(trains="mlp"))
    wrongs: list[dict[str, Any]] = [{"lr": 0}, {"epochs": 0}, {"batch": 0}, {"batch_tokens": 0}]
    for wrong in wrongs:
        with pytest.raises(InputError, match=next(iter(wrong))):
            FitConfig(**wrong)
