"""Training's costs, each as a ratio within this run: `python bench/train.py [DATASET]`. Seconds are the process's own.

- table: forward, backward and update of the students' module alone at 200,000 students, against the paper's
  one-hot module with dense AdamW.
- step: a whole step (llama, 4 layers of 256, 32 sequences) with 2,000,000 students against 1,000.
- throughput (on the rollouts' `all_*` traces, the supplied ones or DATASET): real tokens per second of this loop (AdamW, fp32, codec
  full, 4,096 tokens per batch) against `transformers`' Trainer on the same sequences and model: padding to the context,
  and padding to the longest of batches grouped by length. Its batches hold as many sequences as fill 4,096 tokens at
  the context, or at their mean length. In turns; and the share of the largest speed a matrix product reaches here.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from supplied import rollouts
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from redraft.data.store import Dataset, open_dataset
from redraft.lm.batch import Chunks, Collator, encode, plan
from redraft.lm.codec import Codec, FullCodec
from redraft.lm.model import IGNORE, StudentIndex, StudentLM, StudentVectors
from redraft.lm.optimizer import Optimizer
from redraft.lm.prepare import from_scratch
from redraft.lm.rows import RowAdam
from redraft.lm.settings import BASE, PRESETS

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
        assert ours.rows.weight.grad is not None
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


class Padded(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Chunks as the Trainer takes them: ids, labels, the student's row."""

    def __init__(self, chunks: Chunks, codec: Codec, *, context: int | None) -> None:
        self.chunks, self.codec, self.context = chunks, codec, context
        self.lines = Collator(chunks, codec)

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, number: int) -> dict[str, Any]:
        ids_1L, rows, labels_1L = self.lines([number])
        return {"input_ids": ids_1L[0].tolist(), "labels": labels_1L[0].tolist(), "student_ids": int(rows[0])}

    def collate(self, lines: list[dict[str, Any]]) -> dict[str, Tensor]:
        longest = self.context or max(len(line["input_ids"]) for line in lines)
        ids_BL = torch.full((len(lines), longest), self.codec.pad_id)
        labels_BL = torch.full((len(lines), longest), IGNORE)
        for row, line in enumerate(lines):
            ids_BL[row, : len(line["input_ids"])] = torch.tensor(line["input_ids"])
            labels_BL[row, : len(line["labels"])] = torch.tensor(line["labels"])
        students_B = torch.tensor([line["student_ids"] for line in lines])
        return {"input_ids": ids_BL, "labels": labels_BL, "student_ids": students_B,
                "attention_mask": (ids_BL != self.codec.pad_id).long()}  # fmt: skip


def trainer_speed(model: StudentLM, data: Padded, *, size: int, steps: int, grouped: bool) -> float:
    """Real tokens per second of `transformers`' Trainer."""
    seen: list[tuple[float, int]] = []

    class Watched(Trainer):
        def training_step(self, model: torch.nn.Module, inputs: dict[str, Any], *rest: Any, **more: Any) -> Tensor:
            seen.append((time.process_time(), int((inputs["labels"] != IGNORE).sum())))
            return super().training_step(model, inputs, *rest, **more)

    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, per_device_train_batch_size=size, max_steps=steps + 3, learning_rate=1e-3,
            weight_decay=0.0, optim="adamw_torch_fused", save_strategy="no", report_to=[], disable_tqdm=True,
            use_cpu=True, logging_strategy="no", seed=0, remove_unused_columns=False,
            train_sampling_strategy="group_by_length" if grouped else "random",
        )  # fmt: skip
        Watched(model=model, args=arguments, train_dataset=data, data_collator=data.collate).train()
    return sum(tokens for _, tokens in seen[2:-1]) / (seen[-1][0] - seen[2][0])


def our_speed(model: StudentLM, chunks: Chunks, codec: Codec, *, batch_tokens: int, steps: int) -> tuple[float, float]:
    """Real tokens per second of this loop's step, and the share of real tokens in its batches."""
    collate, batches = Collator(chunks, codec), plan(chunks, batch_tokens=batch_tokens, seed=0, epoch=0)
    optimizer = Optimizer(model, replace(BASE, weight_decay=0.0), clip=1.0)
    tokens = held = 0
    started = 0.0
    for number, which in enumerate(batches[: steps + 2]):
        if number == 2:
            started, tokens, held = time.process_time(), 0, 0
        batch = collate(which)
        optimizer.catch_up(batch.student_ids)
        model(batch.input_ids, batch.student_ids, labels=batch.labels, use_cache=False).loss.backward()
        optimizer.step(batch.student_ids, 1e-3)
        tokens, held = tokens + batch.tokens, held + batch.input_ids.numel()
    real = sum(int(chunks.lengths[which].sum()) + len(which) for which in batches[2 : steps + 2])
    return tokens / (time.process_time() - started), real / held


def peak(size: int = 1024) -> float:
    """Operations a second of a large fp32 matrix product, on this thread."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / min_seconds(lambda: a @ b)


def min_seconds(step: Callable[[], object], times: int = 10) -> float:
    taken = []
    for _ in range(times):
        started = time.process_time()
        step()
        taken.append(time.process_time() - started)
    return min(taken)


def throughput(dataset: Dataset, steps: int = 6, batch_tokens: int = 4096) -> None:
    """Real tokens per second, ours and the Trainer's two ways; the median of three turns."""
    traces = list(islice(dataset.traces(), 1500))
    codec = FullCodec.trained_on(traces)
    index = StudentIndex(sorted({trace.student for trace in traces}))
    shape = PRESETS["llama-3m"]
    chunks = encode(traces, codec, index, shape.context)
    mean = int(chunks.lengths.mean()) + 1
    dynamic, full = (Padded(chunks, codec, context=context) for context in (None, shape.context))

    def fresh() -> StudentLM:
        torch.manual_seed(0)
        model = StudentLM(from_scratch(shape, codec), StudentVectors(len(index), width=shape.width), codec.student_id)
        model.students.rows.sparse = False
        return model

    speeds: dict[str, list[float]] = {"ours": [], "padding to the context": [], "grouped by length": []}
    for _ in range(3):
        model = fresh()
        model.students.rows.sparse = True
        ours, real = our_speed(model, chunks, codec, batch_tokens=batch_tokens, steps=steps)
        speeds["ours"].append(ours)
        few, many = batch_tokens // shape.context, batch_tokens // mean
        speeds["padding to the context"].append(trainer_speed(fresh(), full, size=few, steps=steps, grouped=False))
        speeds["grouped by length"].append(trainer_speed(fresh(), dynamic, size=many, steps=steps, grouped=True))
    median = {name: sorted(some)[1] for name, some in speeds.items()}
    for name, speed in median.items():
        print(f"throughput, {name}: {speed:,.0f} real tokens/s (ours: {median['ours'] / speed:.2f} times)")
    weights = sum(p.numel() for p in fresh().lm.parameters())
    attention = 12 * shape.layers * shape.width * mean  # forward and backward, of a token that looks at `mean` / 2
    reached, most = median["ours"] * (6 * weights + attention / 2), peak()
    print(
        f"real tokens {real:.1%} of ours; {reached / 1e9:.0f} of {most / 1e9:.0f} GFLOP/s: {reached / most:.0%} of peak"
    )


def main() -> None:
    torch.set_num_threads(1)
    with TemporaryDirectory() as scratch:
        given = open_dataset(sys.argv[1]) if len(sys.argv) > 1 else rollouts(Path(scratch), only="all_*.json.xz")
        throughput(given)
    times = 20
    table(200_000)
    few, many = steps((1_000, 2_000_000), times)
    print(f"step: {few * 1e3:.0f} ms with 1,000 students, {many * 1e3:.0f} ms with 2,000,000: ratio {many / few:.3f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GB")


if __name__ == "__main__":
    main()
