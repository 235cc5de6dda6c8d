"""From any table of programs to traces and metrics, in a minute.

Run: python examples/traces_from_any_table.py
"""

import csv
import tempfile
from pathlib import Path

import redraft

DRAFTS = [
    ("ada", "square", "2024-05-06T10:00:00Z", "fd 100"),
    ("ada", "square", "2024-05-06T10:00:40Z", "for [1..3]\n  fd 100\n  rt 90"),
    ("ada", "square", "2024-05-06T10:01:10Z", "# four sides\nfor [1..4]\n  fd 100\n  rt 90"),
    ("bo", "square", "2024-05-06T10:00:05Z", "pen red\nfd 50"),
    ("bo", "square", "2024-05-06T10:03:00Z", "pen blue\nfd 50"),
]


def main(folder: Path) -> None:
    """Write a small CSV, ingest it, look at its traces."""
    table = folder / "drafts.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "task", "when", "program"), *DRAFTS])

    source = redraft.Table(path=table, student="id", title="task", code="program", time="when", language="coffeescript")
    dataset = redraft.ingest(source, folder / "drafts.dataset")
    print(dataset)

    for trace in dataset.traces():
        for old, new in zip(trace.states, trace.states[1:], strict=False):
            modified, added, deleted = redraft.line_edits(old.code, new.code)
            print(f"{trace.student[:6]} {trace.title}: +{len(added)} -{len(deleted)} ~{len(modified)}")

    metrics = redraft.measure(dataset)
    print(metrics.select(["attempts", "backtracking", "comments_final", "seconds_total"]).to_pylist())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
