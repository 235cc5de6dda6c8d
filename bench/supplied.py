"""The traces supplied beside the project, for benches that need real-sized data."""

from __future__ import annotations

from pathlib import Path

from redraft.data.ingest import IngestOptions, ingest
from redraft.data.sources.rollouts import Rollouts
from redraft.data.store import Dataset
from redraft.progress import hush

ROLLOUTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "rollouts"


def rollouts(scratch: Path, *, folder: Path = ROLLOUTS, only: str = "*.json.xz") -> Dataset:
    """Released rollouts (`only`: of these files) as a dataset in `scratch`."""
    files = sorted(folder.glob(only))
    if not files:
        raise SystemExit(f"{folder}: no {only} there; this bench needs released rollouts.")
    hush()
    (scratch / "ingest.key").write_bytes(bytes(32))  # nothing of it is kept
    return ingest(Rollouts(paths=files), scratch / "rollouts", IngestOptions(key=scratch / "ingest.key"))
