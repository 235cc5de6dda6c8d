"""What redraft publishes, killed at each of its steps in turn: `python killing.py SCENARIO FOLDER`.

A step is anything that changes the disk by a name: a file opened for writing, a folder made, a rename, a removal. This
process imports all that is needed, and forks a child for every attempt. The child kills itself as it is about to take
step n; then another child does the same without being killed. In the end the folder must hold what an undisturbed
attempt leaves, to the last byte and name. In between, whoever opens the target must find the old one, the new one, or
be told that there is none.
"""

from __future__ import annotations

import itertools
import mmap
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factories import make_key, make_trace
from redraft.data.ingest import IngestOptions, ingest
from redraft.data.simulate import SimulateConfig, simulate
from redraft.data.sources.pencilcode import PencilCode
from redraft.data.store import DatasetWriter, open_dataset
from redraft.data.trace import Trace
from redraft.errors import DatasetError
from redraft.progress import hush
from redraft.rundir import atomic_file, atomic_folder

STEPS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.utime", "os.link", "os.symlink", "os.truncate"}
LAST = 30
"""Steps at the end of which each is tried: publishing. Of those before, every fifth."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
LINE = '1.1.1.1 {} uid=1 [04/Feb/2022:08:00:{:02} +0000] "GET /log/a?run&code=fd+{} HTTP/1.1" 200 0 "-" "-"\n'


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Something that is published in a folder."""

    do: Callable[[Path], object]
    """Publishes it."""
    before: Callable[[Path], object] = lambda folder: None
    """What is there before."""
    look: Callable[[Path], object] = lambda folder: None
    """Opens what is there as a reader; fails if it isn't whole."""


# What is published


def _write(folder: Path, code: str, *, overwrite: bool = False) -> None:
    traces: list[list[Trace]] = [[make_trace([code, code * 2], student=student)] for student in ("s1", "s2")]
    with DatasetWriter(folder / "out", origin="students", provenance={"code": code}, overwrite=overwrite) as writer:
        if not writer.complete:
            for number, shard in enumerate(traces):
                if not writer.has_shard(number):
                    writer.write_shard(number, shard)
            with atomic_file(writer.scratch / "note") as temporary:
                temporary.write_text("never published")
            writer.finish(rejected={"why": 2})


def _look(folder: Path) -> None:
    if (folder / "out").exists() or (folder / "out.partial").exists():
        try:
            open_dataset(folder / "out").verify()
        except DatasetError as error:
            if "unfinished" not in str(error):
                raise


def _logs(folder: Path) -> None:
    make_key(folder / "key", b"a key of more than sixteen bytes")
    (folder / "logs").mkdir()
    lines = "".join(LINE.format(f"student{n % 3}", n, n // 2 * 9) for n in range(12))
    (folder / "logs" / "a").write_text(lines + lines + "no such line\n")  # the second time they are duplicates
    (folder / "without").write_text("student1\n")


def _ingest(folder: Path, *, exclude: str | None = None, overwrite: bool = False) -> None:
    options = IngestOptions(
        key=folder / "key", memory="256MB", overwrite=overwrite, exclude_students=folder / exclude if exclude else None
    )
    ingest(PencilCode(paths=[folder / "logs"]), folder / "out", options)


def _logs_and_dataset(folder: Path) -> None:
    _logs(folder)
    _ingest(folder)


def _simulate(folder: Path) -> None:
    simulate(SimulateConfig(students=1, titles=1), folder / "out")


def _file(folder: Path) -> None:
    with atomic_file(folder / "out") as temporary:
        temporary.write_text("new")


def _folder(folder: Path) -> None:
    with atomic_folder(folder / "out") as temporary:
        (temporary / "one").write_text("new")
        (temporary / "two").write_text("new")


def _old_folder(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "one").write_text("old")


def _look_at_folder(folder: Path) -> None:
    out = folder / "out"
    found = {file.name: file.read_text() for file in out.iterdir()} if out.exists() else None
    assert found in (None, {"one": "old"}, {"one": "new", "two": "new"}), found


def _of_models() -> dict[str, Scenario]:
    """What needs a model: a toy one, trained here before anything forks."""
    import killing_models

    return {name: Scenario(**parts) for name, parts in killing_models.scenarios().items()}


SCENARIOS: dict[str, Scenario] = {
    "dataset": Scenario(do=lambda folder: _write(folder, "new"), look=_look),
    "dataset-overwritten": Scenario(
        before=lambda folder: _write(folder, "old"), do=lambda folder: _write(folder, "new", overwrite=True), look=_look
    ),
    "ingest": Scenario(before=_logs, do=_ingest, look=_look),
    "ingest-overwritten": Scenario(
        before=_logs_and_dataset, do=lambda folder: _ingest(folder, exclude="without", overwrite=True), look=_look
    ),
    "simulate": Scenario(do=_simulate),
    "file": Scenario(do=_file, before=lambda folder: (folder / "out").write_text("old")),
    "folder": Scenario(do=_folder, before=_old_folder, look=_look_at_folder),
}
OF_MODELS = ("sample", "score", "train")


# Killing


def contents(folder: Path) -> dict[str, Any]:
    """Everything in a folder: relative path -> bytes, or None for a folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def forked(do: Callable[[], object], kill_at: int = -1) -> tuple[int, int]:
    """Do something in a child that kills itself at its `kill_at`-th step.

    Returns:
        The child's exit code, or minus the signal that ended it; and the steps it took.
    """
    taken = mmap.mmap(-1, 8)  # shared with the child
    child = os.fork()
    if not child:
        steps = itertools.count()

        def watch(event: str, arguments: tuple[Any, ...]) -> None:
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
            if writes or event in STEPS:
                if (step := next(steps)) == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                taken[:] = (step + 1).to_bytes(8)

        hush()
        sys.addaudithook(watch)
        try:
            do()
        except BaseException:  # noqa: BLE001 (a child reports whatever it is)
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), int.from_bytes(taken[:])


def step_through(scenario: Scenario, folder: Path) -> int:
    """Kill at every step of publishing, and at some before; how many kills there were."""
    before = folder / "before"
    before.mkdir()
    assert forked(lambda: scenario.before(before))[0] == 0

    def place(name: str) -> Path:
        return Path(shutil.copytree(before, folder / name))

    assert forked(lambda: scenario.do(place("first")))[0] == 0  # compiles what it needs, and keeps it
    whole = place("whole")
    code, total = forked(lambda: scenario.do(whole))
    assert code == 0
    wanted = contents(whole)
    kills = 0
    for step in (*range(0, total - LAST, 5), *range(max(0, total - LAST), total + 1)):
        here = place("killed")
        code, _ = forked(lambda: scenario.do(here), step)  # noqa: B023 (called at once)
        assert code in (0, -signal.SIGKILL), code
        kills += code != 0
        scenario.look(here)
        assert forked(lambda: scenario.do(here))[0] == 0, step  # noqa: B023
        found = contents(here)
        assert found.keys() == wanted.keys(), (step, sorted(found.keys() ^ wanted.keys()))
        assert found == wanted, (step, [name for name in found if found[name] != wanted[name]])
        shutil.rmtree(here)
    return kills


if __name__ == "__main__":
    name, folder = sys.argv[1:]
    if name.startswith("ingest"):
        PencilCode(paths=[]).warm_up()  # so that it need not be loaded in every child
    chosen = _of_models()[name] if name in OF_MODELS else SCENARIOS[name]
    print(step_through(chosen, Path(folder)))
