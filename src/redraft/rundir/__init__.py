"""Files and folders that are whole or absent, whatever kills the process that writes them.

    modes    who may read what is written
    files    one file or one small folder, published by a rename; temporary names
    levels   the right folder where a wrong one is named
    seals    is a file what it was when it was written?
    records  JSON that is written and read again, sealed; its shape is checked
    tables   Parquet files, sealed
    locking  one writer per target, also where two machines share a disk
    output   a command's output folder: claimed, resumed, published, and mended after a kill
    stages   a run folder that remembers which stages are done

Guaranteed after a kill at any instruction:

- A reader of a target sees the old one, the new one, or nothing; never half of one.
- The next run of the same command with the same request ends with the same bytes as one that was never killed.
- Nothing is published under another request than the one it was made for.
- A folder that was being replaced is either still there, or replaced, or put back at the next start.
- Nothing that a kill left behind stays for good: the next run that writes the same target removes it.

Not guaranteed: anything on a disk that reports data as flushed though it isn't. Programs other than redraft that write
into `OUT.partial` while it is being worked in are not noticed.
"""

from redraft.rundir.files import (
    atomic_file,
    atomic_folder,
    fsync,
    make_secret,
    refuse_links_out,
    sha256_json,
    sweep,
    versions,
    write_json,
    write_text,
)
from redraft.rundir.levels import other_level
from redraft.rundir.locking import lock
from redraft.rundir.modes import make_folder
from redraft.rundir.output import Kind, Output, is_unfinished
from redraft.rundir.records import Version, check_version, normal, read_json, read_record, write_record
from redraft.rundir.seals import check_files, check_hash, check_seal, hashes_of, sha256_file
from redraft.rundir.stages import RunDir

__all__ = [
    "Kind",
    "Output",
    "RunDir",
    "Version",
    "atomic_file",
    "atomic_folder",
    "check_files",
    "check_hash",
    "check_seal",
    "check_version",
    "fsync",
    "hashes_of",
    "is_unfinished",
    "lock",
    "make_folder",
    "make_secret",
    "normal",
    "other_level",
    "read_json",
    "read_record",
    "refuse_links_out",
    "sha256_file",
    "sha256_json",
    "sweep",
    "versions",
    "write_json",
    "write_record",
    "write_text",
]
