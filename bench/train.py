"""Training's costs, each as a ratio within this run: `python bench/train.py`. Seconds are the process's own.

- table: forward, backward and update of the students' module alone at 200,000 students, against the paper's
  one-hot module with dense AdamW.
- step: a whole step (llama, 4 layers of 256, 32 sequences) with 2,000,000 students against 1,000.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from redraft.lm.model import StudentLM, StudentVectors
from redraft.lm.optimizer import Optimizer
from redraft.lm.rows import RowAdam
from redraft.lm.settings import BASE

VOCABULARY, LENGTH, BATCH, WIDTH = 2048, 128, 32, 256


def seconds(step: Callable[[], None], *, warm: int, times: int) -> float:
    """The median of a step's process times."""
    taken = []
    for number in range(warm + times):
        started = time.process_time()
        step()
        if number >= warm:
            taken.append(time.process_time() - started)
    return sorted(taken)[len(taken) // 2]


def table(n: int, dim: int = 64) -> float:
    """How many times faster the rows are."""
    ids = torch.Generator().manual_seed(0)

    def draw() -> Tensor:
        return torch.randint(1, n, (BATCH,), generator=ids)

    paper = nn.Sequential(nn.Linear(n, dim), nn.ReLU(), nn.Linear(dim, WIDTH))
    adam = torch.optim.AdamW(paper.parameters(), lr=1e-3, weight_decay=0.0, fused=True)

    def dense() -> None:
        paper(nn.functional.one_hot(draw(), n).float()).square().mean().backward()
        adam.step()
        adam.zero_grad()

    slow = seconds(dense, warm=1, times=5)
    ours = StudentVectors(n, width=WIDTH, dim=dim)
    rows = RowAdam(ours.rows.weight)
    rest = [p for p in ours.parameters() if p is not ours.rows.weight]
    small = torch.optim.AdamW(rest, lr=1e-3, weight_decay=0.0, fused=True)

    def sparse() -> None:
        drawn = draw()
        used = torch.unique(drawn)
        rows.catch_up(used)
        ours(drawn).square().mean().backward()
        gradient = ours.rows.weight.grad.coalesce()
        rows.step(used, gradient.values(), 1e-3)
        small.step()
        small.zero_grad()
        ours.rows.weight.grad = None

    fast = seconds(sparse, warm=5, times=100)
    print(f"table of {n:,}: {slow * 1e3:.1f} ms dense, {fast * 1e3:.2f} ms by rows: {slow / fast:.0f} times faster")
    return slow / fast


def steps(sizes: tuple[int, ...], times: int) -> list[float]:
    """Seconds of a whole step for each number of students, taken in turns."""
    makers = []
    for n in sizes:
        torch.manual_seed(0)
        lm = LlamaForCausalLM(
            LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=512, hidden_size=WIDTH,
                        intermediate_size=3 * WIDTH, num_hidden_layers=4, num_attention_heads=4,
                        tie_word_embeddings=True, bos_token_id=None, eos_token_id=0)
        )  # fmt: skip
        model = StudentLM(lm, StudentVectors(n, width=WIDTH), 4)
        makers.append((n, model, Optimizer(model, replace(BASE, lr=1e-3, optimizer="muon"), clip=1.0)))
    drawn = torch.Generator().manual_seed(0)
    taken: list[list[float]] = [[] for _ in sizes]
    for number in range(times + 3):
        ids_BL = torch.randint(5, VOCABULARY, (BATCH, LENGTH), generator=drawn)
        ids_BL[:, 0] = 4
        for (n, model, optimizer), own in zip(makers, taken, strict=True):
            # half of the rows come back while their momentum still moves them
            rows_B = torch.randint(1, n, (BATCH,), generator=drawn)
            rows_B[::2] = 1 + rows_B[::2] % min(n, 997)
            started = time.process_time()
            optimizer.catch_up(rows_B)
            model(ids_BL, rows_B, labels=ids_BL, use_cache=False).loss.backward()
            optimizer.step(rows_B, 1e-3)
            if number >= 3:
                own.append(time.process_time() - started)
    return [sorted(own)[len(own) // 2] for own in taken]


def main() -> None:
    torch.set_num_threads(1)
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    table(200_000)
    few, many = steps((1_000, 2_000_000), times)
    print(f"step: {few * 1e3:.0f} ms with 1,000 students, {many * 1e3:.0f} ms with 2,000,000: ratio {many / few:.3f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")


if __name__ == "__main__":
    main()
