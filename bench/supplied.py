"""The traces that benches read: those supplied beside the project, or a simulated class where there are none."""

from __future__ import annotations

from pathlib import Path

from redraft.data.ingest import IngestOptions, ingest
from redraft.data.simulate import SimulateConfig, simulated_traces
from redraft.data.sources.rollouts import Rollouts
from redraft.data.store import Dataset, DatasetWriter
from redraft.progress import hush

ROLLOUTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "rollouts"


def rollouts(scratch: Path, *, folder: Path = ROLLOUTS, only: str = "*.json.xz") -> Dataset:
    """Released rollouts (`only`: of these files) as a dataset in `scratch`; without the supplied ones a class instead."""
    files = sorted(folder.glob(only))
    if not files and folder == ROLLOUTS:
        print(f"no rollouts at {ROLLOUTS}: a simulated class stands in for them, and numbers compare with no others")
        return simulated_class(scratch / "class")
    if not files:
        raise SystemExit(f"{folder}: no {only} there; this bench needs released rollouts.")
    hush()
    (scratch / "ingest.key").touch(mode=0o600)
    (scratch / "ingest.key").write_bytes(bytes(32))  # nothing of it is kept
    return ingest(Rollouts(paths=files), scratch / "rollouts", IngestOptions(key=scratch / "ingest.key"))


def simulated_class(folder: Path, *, students: int = 600, titles: int = 4, seed: int = 1) -> Dataset:
    """The traces of a simulated class as a dataset."""
    made = simulated_traces(SimulateConfig(students=students, titles=titles, seed=seed))
    with DatasetWriter(folder, origin="simulated", provenance={"bench": 1}) as writer:
        if not writer.complete:
            writer.write_shard(0, sorted(made, key=lambda trace: trace.pair))
        return writer.finish()
