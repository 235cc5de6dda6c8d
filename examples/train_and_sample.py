"""Simulate a class, train a small student model on it, and draw traces as two students might write them.

Run: python examples/train_and_sample.py  (about half a minute on two cores)
"""

import tempfile
from pathlib import Path

import redraft

STEPS = 20  # far too few for good samples: raise it to a few hundred and wait a minute or two


def main(folder: Path, steps: int = STEPS) -> None:
    """All stages by hand."""
    logs = redraft.simulate(redraft.SimulateConfig(students=20, titles=4, seed=1), folder / "logs")
    source = redraft.PencilCode(paths=sorted(logs.glob("access-*.log.gz")))
    options = redraft.IngestOptions(key=logs / "ingest.key", origin="simulated")
    dataset = redraft.ingest(source, folder / "class.dataset", options)
    split = redraft.make_split(dataset, redraft.SplitConfig(held_students=4, held_titles=1, validation_share=0.05))
    print(split.counts())

    config = redraft.TrainConfig(preset="llama-200k", vocabulary=512, steps=steps)
    model = redraft.train(dataset, split=split, view="trace", out=folder / "model", config=config)
    print(f"{len(model.students)} students have a vector; training: {model.card['training']}")

    title = next(iter(dataset.traces())).title
    requests = [redraft.Request(student, title, id=student) for student in model.students.students[:2]]
    samples = redraft.sample(model, requests, out=folder / "samples", config=redraft.SampleConfig(per_pair=2, rounds=1))
    print(samples, "not usable:", samples.manifest.rejected)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
