"""The optimizers: rows follow dense Adam exactly, Muon orthogonalizes, a step costs no more for more students."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_model import PLACEHOLDER, gpt2, llama
from torch.profiler import ProfilerActivity, profile

from redraft.lm.model import StudentLM, StudentVectors
from redraft.lm.optimizer import Muon, Optimizer, orthogonalize
from redraft.lm.rows import LazyAdam, RowAdam
from redraft.lm.settings import BASE


def dense_and_rows(
    dtype: torch.dtype = torch.float64, n: int = 30, width: int = 5
) -> tuple[torch.nn.Parameter, torch.optim.AdamW, RowAdam]:
    """The same table twice: torch's dense AdamW without decay, and ours."""
    start = torch.randn(n, width, dtype=dtype, generator=torch.Generator().manual_seed(1))
    dense = torch.nn.Parameter(start.clone())
    adam = torch.optim.AdamW([dense], lr=1.0, weight_decay=0.0)
    return dense, adam, RowAdam(start.clone())


def dense_step(
    dense: torch.nn.Parameter, adam: torch.optim.AdamW, rows: torch.Tensor, gradients: torch.Tensor, rate: float
) -> None:
    dense.grad = torch.zeros_like(dense)
    dense.grad[rows] = gradients
    adam.param_groups[0]["lr"] = rate
    adam.step()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), busy=st.sampled_from([0.02, 0.3, 1.0]), scale=st.sampled_from([1e-9, 1e-3, 10.0]))
def test_rows_follow_dense_adam(seed: int, busy: float, scale: float) -> None:
    """Random touches, rates that rise and fall, gradients about as small as eps and large; looked at in between."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    dense, adam, ours = dense_and_rows()
    steps = 500  # the tail is 393 steps in float64
    for step in range(steps):
        touched = rng.random(30) < busy * rng.random()
        touched[29] = False  # never
        touched[28] &= step < 20  # the tail ends
        rows = torch.from_numpy(np.flatnonzero(touched))
        ours.catch_up(rows)
        torch.testing.assert_close(ours.table[rows], dense[rows].detach(), rtol=1e-11, atol=1e-13)
        gradients = scale * torch.randn(len(rows), 5, dtype=torch.float64, generator=generator)
        rate = 0.01 * min(1, (step + 1) / 50, (steps - step) / 300)
        dense_step(dense, adam, rows, gradients, rate)
        ours.step(rows, gradients, rate)
        if rng.random() < 0.01:
            ours.catch_up()
            torch.testing.assert_close(ours.table, dense.detach(), rtol=1e-11, atol=1e-13)
    ours.catch_up()
    torch.testing.assert_close(ours.table, dense.detach(), rtol=1e-11, atol=1e-13)


def test_the_momentum_tail_is_not_small() -> None:
    """A guard of the test above: a rule that only moves touched rows ends far away."""
    dense, adam, ours = dense_and_rows()
    for step in range(100):
        rows = torch.tensor([step % 28])
        gradients = torch.ones(1, 5, dtype=torch.float64)
        dense_step(dense, adam, rows, gradients, 0.01)
        ours.step(rows, gradients, 0.01)  # without catching up
    assert (ours.table - dense.detach()).abs().max() > 0.1


def test_rows_follow_dense_adam_in_fp32() -> None:
    dense, adam, ours = dense_and_rows(torch.float32)
    generator = torch.Generator().manual_seed(0)
    for step in range(400):
        rows = torch.tensor([step % 3, 3 + step % 20])
        ours.catch_up(rows)
        gradients = torch.randn(2, 5, generator=generator)
        dense_step(dense, adam, rows, gradients, 1e-2)
        ours.step(rows, gradients, 1e-2)
    ours.catch_up()
    torch.testing.assert_close(ours.table, dense.detach(), rtol=1e-4, atol=1e-5)


def test_a_saved_state_goes_on_to_the_bit() -> None:
    _, _, whole = dense_and_rows(torch.float32)
    generator = torch.Generator().manual_seed(0)
    saved: RowAdam | None = None
    for step in range(60):
        if step == 30:
            whole.catch_up()
            saved = RowAdam(whole.table.clone())
            saved.load_state_dict(whole.state_dict())
        rows = torch.tensor([step % 3, 3 + step % 20])
        gradients = torch.randn(2, 5, generator=generator)
        for ours in (whole, saved):
            if ours:
                ours.catch_up(rows)
                ours.step(rows, gradients, 1e-2 / (step + 1))
    assert saved
    whole.catch_up()
    saved.catch_up()
    assert torch.equal(saved.table, whole.table)
    assert set(whole.state_dict()["rows"].tolist()) == set(range(23))  # rows never touched aren't written


def test_lazy_rows_are_an_adam_each_of_the_steps_that_touch_them() -> None:
    """Against torch's Adam on each row alone, which never hears of the other steps."""
    start = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    alone = [torch.nn.Parameter(row.clone()) for row in start]
    adams = [torch.optim.AdamW([row], lr=1.0, weight_decay=0.0) for row in alone]
    ours, generator, saved = LazyAdam(start.clone()), torch.Generator().manual_seed(0), None
    for step in range(50):
        rows = torch.tensor([row for row in range(5) if step % (row + 1) == 0])
        gradients = torch.randn(len(rows), 5, dtype=torch.float64, generator=generator)
        for row, gradient in zip(rows.tolist(), gradients, strict=True):
            alone[row].grad = gradient.clone()
            adams[row].param_groups[0]["lr"] = 0.1 / (step + 1)
            adams[row].step()
        ours.catch_up(rows)
        ours.step(rows, gradients, 0.1 / (step + 1))
        if step == 20:  # as from a checkpoint
            saved, table = ours.state_dict(), ours.table.clone()
            ours = LazyAdam(table)
            ours.load_state_dict(saved)
    torch.testing.assert_close(ours.table, torch.stack([row.detach() for row in alone]), rtol=1e-12, atol=1e-14)
    assert torch.equal(ours.table[5], start[5])
    assert saved
    assert saved["rows"].tolist() == [0, 1, 2, 3, 4]


# Muon, and the step of all weights


def toy_model(n_students: int = 20, kind: str = "llama") -> StudentLM:
    torch.manual_seed(0)
    return StudentLM(llama() if kind == "llama" else gpt2(), StudentVectors(n_students, width=16, dim=8), PLACEHOLDER)


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 48, 16), (1, 16, 48)])
def test_singular_values_come_near_one(shape: tuple[int, ...]) -> None:
    made = orthogonalize(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    values = torch.linalg.svdvals(made)
    assert made.shape == shape
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_muon_steps_as_torchs_own_up_to_its_bf16() -> None:
    """Where the gradient is well conditioned, so that bf16 changes little."""
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(24, 24, generator=generator), torch.randn(48, 24, generator=generator)]
    theirs, ours = ([torch.nn.Parameter(each.clone()) for each in start] for _ in range(2))
    torchs = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    muon = Muon(ours, weight_decay=0.1)
    for _ in range(5):
        for a, b in zip(theirs, ours, strict=True):
            a.grad = torch.linalg.qr(torch.randn(a.shape, generator=generator))[0]
            b.grad = a.grad.clone()
        torchs.step()
        muon.step(0.02)
    for a, b, first in zip(theirs, ours, start, strict=True):
        moved = (a - first).norm()
        assert (a - b).norm() < 0.02 * moved


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_muon_has_the_blocks_matrices_and_nothing_else(kind: str) -> None:
    model = toy_model(kind=kind)
    optimizer = Optimizer(model, replace(BASE, optimizer="muon"), clip=1.0)
    inside = {id(each) for some in optimizer._muon._together for each in some}
    names = {name for name, each in model.named_parameters() if id(each) in inside}
    assert names
    assert all(".layers." in name or ".h." in name for name in names)
    blocks = [each for name, each in model.lm.named_parameters() if ".layers." in name or ".h." in name]
    assert len(names) == sum(each.ndim == 2 for each in blocks)


def batches(model: StudentLM, n_students: int, n: int = 30) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(n):
        ids_BL = torch.randint(5, 40, (3, 9), generator=generator)
        ids_BL[:, 0] = PLACEHOLDER
        yield ids_BL, torch.randint(0, n_students + 1, (3,), generator=generator)


def test_the_whole_step_is_dense_adamws_with_clipping_over_all_rows() -> None:
    """Against torch's AdamW on everything, the table dense, in float64."""
    ours, theirs = toy_model().double(), toy_model().double()
    theirs.students.rows.sparse = False
    recipe = replace(BASE, student_lr=3.0, weight_decay=0.01)
    optimizer = Optimizer(ours, recipe, clip=0.5)
    matrices = [p for p in theirs.lm.parameters() if p.ndim > 1]
    vectors = [p for p in theirs.lm.parameters() if p.ndim <= 1]
    adam = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.01, "lr": 1e-2}, {"params": vectors, "weight_decay": 0.0, "lr": 1e-2},
         {"params": list(theirs.students.parameters()), "weight_decay": 0.0, "lr": 3e-2}]
    )  # fmt: skip
    clipped = 0
    for ids_BL, rows_B in batches(ours, 20):
        optimizer.catch_up(rows_B)
        ours(ids_BL, rows_B, labels=ids_BL).loss.backward()
        norm = optimizer.step(rows_B, 1e-2)
        theirs(ids_BL, rows_B, labels=ids_BL).loss.backward()
        expected = torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        adam.step()
        adam.zero_grad()
        torch.testing.assert_close(norm, expected, rtol=1e-9, atol=0)
        clipped += int(norm > 0.5)
    assert clipped > 5
    optimizer.catch_up()
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9, msg=name)


def test_no_tensor_of_the_tables_size_is_made_in_a_step() -> None:
    """Only its own three; a million rows, and every allocation watched."""
    n = 1_000_000
    model = toy_model(n)
    optimizer = Optimizer(model, replace(BASE, optimizer="muon"), clip=1.0)
    for number, (ids_BL, rows_B) in enumerate(batches(model, n, 4)):
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
            optimizer.catch_up(rows_B)
            model(ids_BL, rows_B, labels=ids_BL).loss.backward()
            optimizer.step(rows_B, 1e-2)
        most = max(event.self_cpu_memory_usage for event in watched.key_averages())
        if number:
            assert most < n  # bytes: less than one per row


def test_a_gradient_that_is_no_number_changes_nothing() -> None:
    model = toy_model()
    optimizer = Optimizer(model, replace(BASE, optimizer="muon"), clip=1.0)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    ids_BL, rows_B = next(batches(model, 20))
    (model(ids_BL, rows_B, labels=ids_BL).loss * torch.nan).backward()
    assert not torch.isfinite(optimizer.step(rows_B, 1e-2))
    optimizer.catch_up()
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
