"""Students added after training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from factories import make_dataset, make_trace
from known import known
from redraft.cli import app
from redraft.data.split import Split
from redraft.data.store import Dataset
from redraft.errors import DatasetError, InputError
from redraft.lm.checkpoint import Model, load_model, save_model
from redraft.lm.model import UNKNOWN
from redraft.lm.sample import SampleConfig, requests_for, sample
from redraft.lm.students import add_students
from redraft.lm.train import train
from toy import TOY, prepare_torch, toy_dataset

Trained = tuple[Dataset, Split, Model, Path]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    prepare_torch()
    folder = tmp_path_factory.mktemp("students")
    dataset, split = toy_dataset(folder / "data")
    return dataset, split, train(dataset, split=split, view="trace", out=folder / "model", config=TOY), folder


def logits(model: Model, row: int) -> torch.Tensor:
    ids_BL = torch.tensor([[model.codec.student_id, *model.codec.prefix("square")]])
    with torch.no_grad():
        found: torch.Tensor = model.lm(ids_BL, torch.tensor([row])).logits
    return found


def test_new_students_begin_as_the_unknown_one_and_nothing_else_changes(trained: Trained, tmp_path: Path) -> None:
    model = trained[2]
    known = model.students.students
    before = {name: tensor.clone() for name, tensor in model.lm.state_dict().items()}
    grown = add_students(model, ["new b", known[0], "new a", "new b"])
    save_model(tmp_path / "grown", grown)
    loaded = load_model(tmp_path / "grown")
    for made in (grown, loaded):
        assert made.students.students == (*known, "new b", "new a")
        rows = made.lm.students.rows.weight
        assert torch.equal(rows[: len(known) + 1], before["students.rows.weight"])
        for student in ("new a", "new b"):
            assert made.students.row(student) > len(known)
            assert torch.equal(rows[made.students.row(student)], rows[UNKNOWN])
        assert made.lm.context == model.lm.context
        assert torch.equal(logits(made, 3), logits(model, 3))
        assert torch.equal(logits(made, made.students.row("new a")), logits(model, UNKNOWN))
        rest = {name: tensor for name, tensor in made.lm.state_dict().items() if name != "students.rows.weight"}
        assert all(torch.equal(tensor, before[name]) for name, tensor in rest.items())
    assert loaded.card["students_added"] == [2]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.lm.state_dict().items())


def test_a_vector_of_their_own_can_be_trained_and_the_others_stay(trained: Trained) -> None:
    grown = add_students(trained[2], ["new"])
    row = grown.students.row("new")
    ids_BL = torch.tensor([[grown.codec.student_id, *grown.codec.prefix("square")]])
    grown.lm(ids_BL, torch.tensor([row]), labels=ids_BL).loss.backward()
    assert known(grown.lm.students.rows.weight.grad).coalesce().indices().tolist() == [[row]]


def test_students_who_are_known_already_are_no_addition(trained: Trained) -> None:
    model = trained[2]
    with pytest.raises(InputError, match="knows all"):
        add_students(model, model.students.students)


def test_the_command_adds_a_datasets_students_and_the_model_draws_for_them(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, split, model, folder = trained
    traces = [make_trace(["fd 1"], student=student) for student in ("newcomer", "another newcomer", "s1")]
    more = make_dataset(tmp_path / "more", traces)
    arguments = ["add-students", str(folder / "model"), "--dataset", str(more.path), "--out", str(tmp_path / "grown")]
    app(arguments, result_action="return_value")
    n = len(model.students) + 2 + ("s1" not in model.students)
    assert f"{n} students" in capsys.readouterr().out
    grown = load_model(tmp_path / "grown")
    assert {"newcomer", "another newcomer", *model.students.students} <= set(grown.students.students)
    requests = requests_for(split, ["unseen-seen"], max_pairs=1, seed=0)
    sample(grown, requests, out=tmp_path / "drawn", config=SampleConfig(per_pair=1, rounds=1, batch=1))
    with pytest.raises(DatasetError, match="already holds"):
        app(arguments, result_action="return_value", exit_on_error=False)
