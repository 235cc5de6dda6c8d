"""Ingest under bad luck: kills, damaged archives, endless lines, people who said no."""

from __future__ import annotations

import gzip
import hmac
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factories import make_key
from redraft.data.gather import GROUP, whole_pairs
from redraft.data.identity import keyed_hash, keyed_hashes
from redraft.data.ingest import IngestOptions, ingest, input_names
from redraft.data.sources.pencilcode import PencilCode
from redraft.data.spool import bucket_count
from redraft.data.store import Dataset, open_dataset
from redraft.errors import DatasetError, InputError, UsageError

KEY = b"a key of more than sixteen bytes"
COMMAND = [sys.executable, "-c", "from redraft.cli import main; main()"]


def log(students: int, runs: int, seed: int = 0, noise: int = 0) -> bytes:
    """Runs and saves of programs that often repeat; `noise` random bytes each keep it from packing well."""
    rng = random.Random(seed)
    lines = []
    for i in range(runs):
        at = f"04/Feb/2022:{i // 3600 % 24:02}:{i // 60 % 60:02}:{i % 60:02} +0000"
        url = f"/log/{rng.choice('abc')}?{rng.choice(['run', 'run', 'run', 'save'])}"
        code = f"fd+{rng.randrange(9) * 50}|{rng.randbytes(noise).hex()}|"
        lines.append(
            f'1.1.1.1 student{rng.randrange(students)} uid=1 [{at}] "GET {url}&code={code} HTTP/1.1" 200 0 "-" "-"\n'
        )
    return "".join(lines).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_key(tmp_path / "key", KEY)
    (tmp_path / "logs").mkdir()
    return tmp_path


def read(folder: Path, out: str = "d", **options: object) -> Dataset:
    chosen = {"key": folder / "key", "memory": "256MB", "origin": "simulated", **options}
    return ingest(PencilCode(paths=[folder / "logs"]), folder / out, IngestOptions(**chosen))  # type: ignore[arg-type]


def count_of(folder: Path, pattern: str) -> int:
    """How many files match, in a folder that somebody may remove meanwhile."""
    try:
        return len(list(folder.glob(pattern)))
    except FileNotFoundError:
        return 0


def files(dataset: Path) -> dict[str, bytes]:
    return {str(file.relative_to(dataset)): file.read_bytes() for file in sorted(dataset.rglob("*")) if file.is_file()}


def test_a_killed_ingest_goes_on_and_ends_the_same(folder: Path) -> None:
    for number in range(3):
        (folder / "logs" / f"{number}.gz").write_bytes(gzip.compress(log(300, 15_000, number, 80), 1))
    whole = read(folder, "whole")
    assert len(whole.shards) > 1
    command = [*COMMAND, "ingest", "pencilcode", str(folder / "logs"), "--out", str(folder / "killed"), "--key", str(folder / "key"),
               "--memory", "256MB", "--origin", "simulated"]  # fmt: skip
    partial = folder / "killed.partial"
    for pattern, count in (
        ("spool/*.states", 1),
        ("spool/*.states", 4),
        ("spool/*.done", 2),
        ("result/traces-*.parquet", 1),
    ):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and count_of(partial, pattern) < count:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (folder / "killed").exists() or process.returncode == 0
    subprocess.run(command, check=True, capture_output=True)
    assert files(folder / "killed") == files(folder / "whole")
    assert not partial.exists()
    before = files(folder / "killed")
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "already holds" in again.stderr
    assert files(folder / "killed") == before


def test_what_was_begun_with_another_memory_is_begun_anew(folder: Path) -> None:
    (folder / "logs/a").write_bytes(gzip.compress(log(50, 20_000, noise=80), 1))
    partial = folder / "d.partial"
    command = [*COMMAND, "ingest", "pencilcode", str(folder / "logs"), "--out", str(folder / "d"), "--key", str(folder / "key"),
               "--origin", "simulated"]  # fmt: skip
    process = subprocess.Popen([*command, "--memory", "4GB"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None and not count_of(partial, "spool/*.states"):
        time.sleep(0.002)
    process.kill()
    process.wait()
    subprocess.run([*command, "--memory", "256MB"], check=True, capture_output=True)
    assert files(folder / "d") == files(read(folder, "whole").path)


def test_damaged_archives_are_rejected_whole_and_named(folder: Path) -> None:
    packed = gzip.compress(log(5, 200, 1))
    good = log(5, 200)
    (folder / "logs/a").write_bytes(good)
    (folder / "logs/cut.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "logs/sum.gz").write_bytes(packed[:-8] + b"\0\0\0\0" + packed[-4:])
    (folder / "logs/cut.zst").write_bytes(pa.compress(log(5, 200, 2), codec="zstd", asbytes=True)[:-5])
    with pytest.raises(InputError) as error:
        read(folder)
    assert all(name in str(error.value) for name in ("cut.gz", "sum.gz", "cut.zst"))
    dataset = open_dataset(folder / "d")
    assert dataset.manifest.rejected["damaged_file"] == 3
    rejected = pq.read_table(folder / "d/rejected.parquet").to_pylist()
    assert [row for row in rejected if row["line"] is None] == [
        {"file": number, "line": None, "reason": "damaged_file"}
        for number in (2, 3, 4)  # in order of name
    ]
    assert {row["file"] for row in rejected if row["line"] is not None} == {1}
    for file in (folder / "logs").glob("*.*"):
        file.unlink()
    alone = read(folder, "alone")
    assert [*alone.traces()] == [*dataset.traces()]


def test_a_line_of_100_mb_takes_little_memory(folder: Path) -> None:
    with (folder / "logs/a").open("wb") as file:
        file.write(log(1, 9))
        for _ in range(100):
            file.write(b"x" * 10**6)
        file.write(b"\n" + log(1, 9))
    script = (
        "import sys; from redraft.cli import main\n"
        "try: main(sys.argv[1:])\n"  # VmHWM begins anew with the program; ru_maxrss would be the parent's if larger
        "finally: print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", script, "ingest", "pencilcode", str(folder / "logs"), "--out", str(folder / "d"),
               "--key", str(folder / "key"), "--memory", "256MB"]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert open_dataset(folder / "d").manifest.rejected["too_long"] == 1
    assert {"file": 1, "line": 10, "reason": "too_long"} in pq.read_table(folder / "d/rejected.parquet").to_pylist()
    assert int(done.stdout.split()[-1]) < 750_000  # kB: arrow, duckdb and their buffers take 600,000


def test_students_who_said_no_are_left_out(folder: Path) -> None:
    (folder / "logs/a").write_bytes(log(4, 400))
    (folder / "yes").write_text("student0\n\nstudent1 \nstudent2\n")
    (folder / "no").write_text("student1\n")
    dataset = read(folder, include_students=folder / "yes", exclude_students=folder / "no")
    assert set(dataset.pairs()["student"].to_pylist()) == {keyed_hash(raw, KEY) for raw in ("student0", "student2")}
    everyone = read(folder, "all")
    kept = sum(len(t.states) for t in everyone.traces() if t.student in set(dataset.pairs()["student"].to_pylist()))
    assert dataset.manifest.states == kept
    assert dataset.manifest.rejected["no_consent"] > 100
    assert dataset.manifest.rejected["other_action"] == everyone.manifest.rejected["other_action"]
    (folder / "nobody").write_text("\n")
    with pytest.raises(InputError, match="names no student"):
        read(folder, "e", include_students=folder / "nobody")
    (folder / "stranger").write_text("someone else\n")
    with pytest.raises(InputError, match="match nobody"):
        read(folder, "e", include_students=folder / "stranger")


@pytest.mark.parametrize("parquet", [False, True])
def test_covariates_are_joined_by_raw_id(folder: Path, parquet: bool) -> None:
    (folder / "logs/a").write_bytes(log(3, 100))
    table = pa.table({"student": ["student1", "student0", "stranger"], "age": [11, 12, 13], "group": ["x", "y", "z"]})
    file = folder / "covariates"
    if parquet:
        pq.write_table(table, file)
    else:
        file.write_text("age,student,group\n11,student1,x\n12,student0,y\n13,stranger,z\n")
    covariates = read(folder, covariates=file).covariates()
    assert covariates is not None
    rows = {row["student"]: (row["age"], row["group"]) for row in covariates.to_pylist()}
    assert rows == {keyed_hash("student1", KEY): (11, "x"), keyed_hash("student0", KEY): (12, "y")}
    file.write_text("id,age\nstudent1,1\nstudent1,2\n")
    with pytest.raises(InputError, match="second time"):
        read(folder, "e", covariates=file)


def test_no_raw_id_is_left_in_a_dataset(folder: Path) -> None:
    (folder / "logs/a").write_bytes(log(3, 100))
    (folder / "yes").write_text("student0\n")
    dataset = read(folder, include_students=folder / "yes")
    assert b"student0" not in (dataset.path / "manifest.json").read_bytes()
    for file in dataset.path.glob("*.parquet"):
        assert "student0" not in str(pq.read_table(file).to_pydict())
    assert str(folder) not in (dataset.path / "manifest.json").read_text()
    make_key(folder / "other", b"another key of enough bytes")
    other = read(folder, "e", key=folder / "other")
    assert not set(other.pairs()["student"].to_pylist()) & set(dataset.pairs()["student"].to_pylist())


def test_missing_paths_are_named_together_before_anything_starts(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(InputError) as error:
        ingest(
            PencilCode(paths=[folder / "x", folder / "y", folder / "empty"]),
            folder / "d",
            IngestOptions(key=folder / "key"),
        )
    assert all(name in str(error.value) for name in ("x does not exist", "y does not exist", "empty folder"))
    assert not list(folder.glob("d*"))
    with pytest.raises(UsageError, match="512MB"):
        ingest(PencilCode(paths=[folder / "key"]), folder / "d", IngestOptions(memory="lots"))


def test_another_dataset_is_replaced_only_when_asked(folder: Path) -> None:
    (folder / "logs/a").write_bytes(log(3, 100))
    read(folder)
    with pytest.raises(DatasetError, match="--overwrite"):
        read(folder, origin="model")
    assert read(folder, origin="model", overwrite=True).origin == "model"


def test_inputs_of_one_name_are_told_apart() -> None:
    assert input_names([Path("/x/a/log"), Path("/x/b/log")]) == [f"a{os.sep}log", f"b{os.sep}log"]
    assert input_names([Path("/x/a/log"), Path("/x/a/log2")]) == ["log", "log2"]


@pytest.mark.parametrize("size", [97, GROUP, 10 * GROUP])
def test_groups_of_pairs_do_not_depend_on_batches(size: int) -> None:
    lengths = [3, GROUP - 4, 5, 3 * GROUP, 1, GROUP]
    students = [str(i) for i, length in enumerate(lengths) for _ in range(length)]
    table = pa.table({"student": students, "title": ["t"] * len(students)})
    groups = [group["student"].to_pylist() for group in whole_pairs(table.to_batches(max_chunksize=size))]
    assert [len(group) for group in groups] == [GROUP - 1, 5, 3 * GROUP + 1, GROUP]
    assert [student for group in groups for student in group] == students


@pytest.mark.parametrize("key", [b"short", KEY, bytes(range(200))])
def test_many_ids_are_hashed_like_one(key: bytes) -> None:
    ids = ["", "ann", "ünï", "x" * 500]
    assert keyed_hashes(ids, key) == [hmac.digest(key, raw.encode(), "sha256").hex()[:32] for raw in ids]
    assert keyed_hashes(ids, key) == [keyed_hash(raw, key) for raw in ids]


def test_buckets_follow_from_size_and_memory() -> None:
    assert bucket_count(0, 10**9) == 1
    assert bucket_count(5 * 10**9, 512 * 10**6) == 80
    assert bucket_count(10**15, 10**9) == 4096
