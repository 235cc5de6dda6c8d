"""A run whose models are not trained but made: students' vectors hold their habits, or nothing."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from fabricate import draw_trace, habits
from factories import make_dataset
from redraft.data.split import Split, SplitConfig, make_split
from redraft.data.store import Dataset
from redraft.lm.checkpoint import Model, save_model
from redraft.lm.codec import CodecConfig, FullCodec
from redraft.lm.model import StudentIndex, StudentLM, StudentVectors
from redraft.rundir import write_text

SMALL = """
[probe]
replicates = 60
halves = 6
permutations = 9
repeats = 2
folds = 5
inner_folds = 3
iterations = 80
hidden = [20]
lr = 0.01
traces_per_title = 6
fewest_students = 20
fewest_traces = 2
fewest_test_traces = 2
student_metrics = ["comments_final", "backtracking", "year_final"]
"""


def make_model(dataset: Dataset, split: Split, vectors: np.ndarray, *, context: int = 260, seed: int = 0) -> Model:
    """An untrained model; `vectors` (students, 4) are its training students', in order of id."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    codec = FullCodec.trained_on(islice(dataset.traces(), 50), 300, CodecConfig(title_tokens=6, overlap=8))
    config = GPT2Config(
        vocab_size=codec.vocab_size, n_positions=context, n_embd=16, n_layer=1, n_head=2, bos_token_id=None,
        eos_token_id=codec.end_id, pad_token_id=codec.pad_id,
    )  # fmt: skip
    names = sorted({pair.student for pair, place in split.of.items() if place == "train"})
    students = StudentVectors(len(names), width=16, dim=4)
    with torch.no_grad():
        students.rows.weight[1:] = torch.from_numpy(vectors[: len(names)]).float()
    card = {
        "view": "trace", "split": split.name, "split_hash": split.hash, "dataset": dataset.name, "origin": dataset.origin,
        "dataset_fingerprint": dataset.fingerprint, "language": "coffeescript", "config": {"codec": "full"},
    }  # fmt: skip
    lm = StudentLM(GPT2LMHeadModel(config), students, codec.student_id).eval()
    return Model(lm=lm, codec=codec, students=StudentIndex(names), card=card)


def make_probed_run(folder: Path, settings: str = SMALL, *, students: int = 100, titles: int = 7) -> Path:
    """A run with models `trace`, whose students' vectors hold their habits, and `last`, whose don't."""
    rng = np.random.default_rng(7)
    true = habits(students, rng)
    names = [f"title{i:x}" for i in range(titles)]
    dataset = make_dataset(
        folder / "class", [draw_trace(student, title, true[student], rng) for student in sorted(true) for title in names],
        "simulated",
    )  # fmt: skip
    split = make_split(
        dataset, SplitConfig(held_students=0, held_titles=0, train_share=0.5, validation_share=0, seed=3)
    )
    seen = sorted({pair.student for pair, place in split.of.items() if place == "train"})
    noise = rng.normal(size=(len(seen), 4))
    known = noise.copy()
    known[:, 0] = [true[name].comments - 2.5 for name in seen]
    known[:, 1] = [4 * true[name].detours - 2 for name in seen]
    run = folder / "run"
    save_model(run / "models" / "trace", make_model(dataset, split, known))
    save_model(run / "models" / "last", make_model(dataset, split, noise, seed=1))
    write_text(run / "run.toml", 'dataset = "../class"\nviews = ["trace", "last"]\n' + settings)
    return run
