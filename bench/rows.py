"""Two rules for students' vectors after equal steps: the table of docs/training.md.

    redraft simulate --students 300 --titles 12 --seed 1 --out class
    redraft ingest pencilcode class/access-*.log.gz --key class/ingest.key --origin simulated --out class.dataset
    redraft split class.dataset --held-students 0.02 --held-titles 0 --validation-share 0.1
    python bench/rows.py class.dataset

In: a dataset whose students have several traces each. Out: a Markdown table on standard output.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from redraft.data.split import load_split
from redraft.data.store import open_dataset
from redraft.lm import train as training
from redraft.lm.rows import UPDATES
from redraft.lm.settings import TrainConfig


def main() -> None:
    torch.set_num_threads(1)
    training.clock = time.process_time
    dataset = open_dataset(Path(sys.argv[1]))
    split, steps = load_split(dataset), int(sys.argv[2]) if len(sys.argv) > 2 else 400
    print("| rule | seed | bits per seen-seen trace | saved by knowing the student | CPU-ms per step |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for seed in (0, 1):
        for rule in UPDATES:
            config = TrainConfig(
                preset="llama-200k", codec="diff", steps=steps, seed=seed, student_updates=rule, precision="fp32",  # type: ignore[arg-type]
                tracker="none", validate_every=steps, validation_traces=300,
            )  # fmt: skip
            with TemporaryDirectory() as folder:
                made = training.train(dataset, split=split, view="trace", out=Path(folder) / "model", config=config)
            bits, seconds = made.card["training"]["bits"]["seen-seen"], made.history[-1].seconds or 0.0
            print(f"| {rule} | {seed} | {bits['per_trace']:.1f} | {bits['gained_over_unknown']:.2f} "
                  f"| {seconds / steps * 1e3:.0f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
