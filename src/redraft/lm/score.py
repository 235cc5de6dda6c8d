"""How well a model knows each trace, state by state: what researchers need for analyses of their own.

In: a model and a dataset. Out: a folder, published as `redraft.rundir.output` says:

    states.parquet   a row per state: bits of its time and of its edit, and the probability of that edit
    traces.parquet   a row per trace: the sums
    manifest.json    which model, which dataset, what was asked for, and what each column means (`COLUMNS`)

Bits are those of the ids that the codec charges (`codec.base`), so a trace's are the sum of its states', and their mean
over traces is the bits per trace that training reports. That a state's text is over is charged to what comes next:
the next state's time, or the ending. Parts of the work are kept in `OUT.partial` until all are done; a killed run goes
on with the first that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from accelerate import PartialState
from numpy.typing import NDArray

from redraft.data.split import Split, load_split
from redraft.data.store import Dataset
from redraft.data.trace import Trace
from redraft.errors import InputError, UsageError
from redraft.execute.dataset import read_messages
from redraft.lm.batch import Encoded
from redraft.lm.bits import bits_of, bits_with
from redraft.lm.checkpoint import Model
from redraft.lm.codec import EDIT, ENDING, TIME, Coded, Verdicts
from redraft.lm.model import StudentIndex
from redraft.lm.neural_cache.store import NeuralCache
from redraft.lm.voice import Voice, nobody, own
from redraft.progress import bar, say
from redraft.rundir import Kind, Output, read_record, write_record
from redraft.rundir.tables import read_table, table_writer, write_table

SCHEMA_VERSION = 1
"""Version of the folder's format."""
MANIFEST = "manifest.json"
REMEDY = "Remove the scores, and score again, or copy them anew."
TABLES = ("states", "traces")
PART = 512
"""Traces scored and written at once; what a killed run loses at most."""

COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "student": (pa.string(), "the trace's key, as in the dataset: student"),
    "title": (pa.string(), "its title"),
    "sample": (pa.int32(), "its sample's number; 0 for real traces"),
    "request": (pa.string(), "the request it was drawn for; null for real traces"),
    "split": (pa.string(), "the part of the model's split its pair is in; null if the dataset lacks that split"),
    "known": (pa.bool_(), "whether the model has met the student; others are read with the unknown student's vector"),
    "state": (pa.int32(), "states only: its number, from 1"),
    "states": (pa.int32(), "traces only: states"),
    "ended": (pa.bool_(), "traces only: whether it has an ending, which is charged"),
    "tokens": (pa.int32(), "ids charged"),
    "characters": (pa.int32(), "characters of the state's program; of a trace, of all its states'"),
    "keys": (pa.int32(), "traces only, with a neural cache: ids of the student's earlier work that it held"),
    "bits": (pa.float64(), "bits of the time, the edit and the ending, given all before"),
    "time_bits": (pa.float64(), "bits of the time, and of that there is another state"),
    "edit_bits": (pa.float64(), "bits of the program or of the edit that leads to it, its time given"),
    "ending_bits": (pa.float64(), "bits of that the trace ends here; null where it doesn't"),
    "edit_probability": (pa.float64(), "states only: 2^-edit_bits, the probability of the student's actual next edit"),
    "ending_probability": (pa.float64(), "2^-ending_bits, the probability that the trace ends here"),
    "cumulative_bits": (pa.float64(), "states only: bits of the trace up to and with this state"),
}
"""Column -> its type and meaning."""
READ = ("bits", "time_bits", "edit_bits", "ending_bits")
"""Columns that each further voice has too, behind its name; and `gained_over_VOICE`."""
UNCACHED = "uncached"
"""Beside traces read with the student's own vector and a neural cache: the same without the cache."""
VOICES = {
    UNCACHED: "the student's own vector and no neural cache",
    "unknown": "the unknown student's vector",
    "other": "another student's vector",
}
"""Voices beside the student's own -> whose vector a trace is read with. They have no neural cache."""
OF_STATES, OF_TRACES = {"state", "edit_probability", "cumulative_bits"}, {"states", "ended", "keys"}
"""Columns that one table alone has."""


class Score(NamedTuple):
    """What was scored."""

    traces: int
    states: int
    bits_per_trace: float
    strangers: int
    """Traces of students the model has not met."""
    remembered: int | None = None
    """Traces that a neural cache held earlier work for; None: there was no cache."""


def score(
    model: Model, dataset: Dataset, *, out: Path, splits: Sequence[str] = (), unknown: bool = False,
    other: str | None = None, cache: NeuralCache | None = None, batch_tokens: int = 4096, overwrite: bool = False,
) -> Score:  # fmt: skip
    """Score the dataset's traces, and write `out`.

    Args:
        model: The model.
        dataset: Any dataset; that the model was trained on must still have the model's split.
        out: The folder to write.
        splits: Parts of the model's split to score; none: every trace.
        unknown: Read each trace with the unknown student's vector too.
        other: A student with whose vector to read each trace too.
        cache: What students wrote before, to be mixed in; what that is worth is written too. A trace that nothing came
            before costs what it does without a cache.
        batch_tokens: Tokens read at once.
        overwrite: Replace other scores at `out`.

    Raises:
        DatasetError: `out` holds something else, or the dataset's split isn't the model's.
        InputError: The model needs verdicts and there are none, or has not met `other`.
        UsageError: Unknown part of a split, or `batch_tokens` below 1.
    """
    if batch_tokens < 1:
        raise UsageError(f"batch_tokens is {batch_tokens}; it must be at least 1.")
    split = _split_of(model, dataset, splits)
    voices = {"own": own, **({UNCACHED: own} if cache else {}), **_voices(model.students, unknown, other)}
    verdicts = read_messages(dataset) if model.codec.run_id is not None else {}
    request = _request(model, dataset, splits, [*voices], other, batch_tokens)
    if cache:
        request["neural_cache"] = cache.fingerprint
    with Output(out, kind=SCORES, request=request, overwrite=overwrite, inputs=[dataset.path]) as output:
        if output.done:
            return _summary(out)
        _warn(model, unknown)
        model.lm.to(PartialState().device)
        whole = (trace for trace in dataset.traces() if trace.states)  # of a sample without a program there are no bits
        traces = split.select(whole, *splits) if split and splits else whole
        with bar("scoring", None if splits else len(dataset)) as watcher:
            parts = _write_parts(
                output.scratch, traces, watcher.advance,
                lambda group: _tables(model, group, split, voices, verdicts, cache, batch_tokens, watcher.advance),
            )  # fmt: skip
        if not parts:
            raise InputError("there are no traces to score.", where=dataset.path)
        for name in TABLES:
            _assemble(output.folder / f"{name}.parquet", [_part(output.scratch, name, part) for part in range(parts)])
        write_record(output.folder / MANIFEST, {**request, "columns": _meanings([*voices])})
        output.publish()
    return _summary(out)


def _write_parts(
    partial: Path, traces: Iterator[Trace], done: Callable[[float], None],
    tables: Callable[[Sequence[Trace]], dict[str, pa.Table]],
) -> int:  # fmt: skip
    """Write the parts that are missing; how many parts there are."""
    for part in count():
        group = list(islice(traces, PART))
        if not group:
            return part
        if _part(partial, TABLES[-1], part).exists():
            done(len(group))
            continue
        made = tables(group)
        for name in TABLES:  # the traces last: they say that the part is done
            write_table(made[name], _part(partial, name, part))
    raise AssertionError


def _voices(students: StudentIndex, unknown: bool, other: str | None) -> dict[str, Voice]:
    voices: dict[str, Voice] = {"unknown": nobody} if unknown else {}
    if other is not None:
        if other not in students:
            raise InputError(
                f"the model has not met the student {other!r}.",
                where="--other",
                remedy="Name one of those in its students.parquet (keyed hashes, as in the dataset).",
            )
        row = students.row(other)
        voices["other"] = lambda rows_B: rows_B.new_full(rows_B.shape, row)
    return voices


def _split_of(model: Model, dataset: Dataset, wanted: Sequence[str]) -> Split | None:
    """The split the model was trained on; None if this is another dataset, which doesn't have it.

    Raises:
        DatasetError: It is needed, and isn't there.
    """
    name = model.card["split"]
    needed = bool(wanted) or dataset.fingerprint == model.card["dataset_fingerprint"]
    if not needed and not (dataset.path / "splits" / f"{name}.parquet").exists():
        return None
    split = load_split(dataset, name)
    if needed:
        model.check_split(split.hash)
    return split if split.hash == model.card["split_hash"] else None


def _warn(model: Model, unknown: bool) -> None:
    if "trace" not in model.card["view"]:
        say(f"The model was trained on the view {model.card['view']}; the traces it reads here are whole.")
    if unknown and not model.card["config"]["student_dropout"]:
        say("The model was trained without student dropout, so its unknown student's vector is untrained.")


# What is there already


def _request(
    model: Model, dataset: Dataset, splits: Sequence[str], voices: Sequence[str], other: str | None, batch_tokens: int
) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "command": COMMAND,
        "model": {key: model.card[key] for key in ("view", "split", "split_hash", "dataset", "origin")},
        "model_fingerprint": model.fingerprint,
        "codec": model.codec.name,
        "dataset": dataset.name,
        "dataset_fingerprint": dataset.fingerprint,
        "origin": dataset.origin,
        "splits": list(splits),
        "readers": list(voices),  # as earlier versions called them
        "other": other,
        "batch_tokens": batch_tokens,
    }


def _made_for(folder: Path) -> dict[str, Any] | None:
    """What scores were made for; None if there are no scores."""
    if not (folder / MANIFEST).is_file():
        return None
    found = read_record(folder / MANIFEST, remedy=REMEDY)
    return found if found.get("command") == COMMAND else None


COMMAND = "score"
SCORES = Kind(name="a folder of scores", another="other scores", made_for=_made_for, effort="*.parquet")


def _part(partial: Path, name: str, part: int) -> Path:
    return partial / f"{name}-{part:06d}.parquet"


def _assemble(file: Path, parts: Sequence[Path]) -> None:
    """One file of many, in order; memory holds one of them at a time."""
    remedy = f"Remove {parts[0].parent}, and start the command again."
    with table_writer(file, read_table(parts[0], remedy=remedy).schema) as writer:
        for part in parts:
            writer.write_table(read_table(part, remedy=remedy))


def _summary(out: Path) -> Score:
    file = out / "traces.parquet"
    traces = read_table(file, remedy=REMEDY)
    cached = "keys" in traces.column_names
    strangers = len(traces) - (pc.sum(traces["known"]).as_py() or 0)
    remembered = (pc.sum(pc.greater(traces["keys"], 0)).as_py() or 0) if cached else None
    return Score(len(traces), pc.sum(traces["states"]).as_py(), pc.mean(traces["bits"]).as_py(), strangers, remembered)


# The rows


def _meanings(voices: Sequence[str]) -> dict[str, str]:
    """Column -> meaning."""
    cached = UNCACHED in voices
    meanings = {name: words for name, (_, words) in COLUMNS.items() if cached or name != "keys"}
    for voice in voices[1:]:
        whose = VOICES[voice]
        worth = "the neural cache" if voice == UNCACHED else "the student's own vector"
        worth += " and the neural cache" if cached and voice != UNCACHED else ""
        meanings |= {f"{voice}_{name}": f"{name}, read with {whose}" for name in READ}
        verb = "are" if " and " in worth else "is"
        meanings[f"gained_over_{voice}"] = f"{voice}_bits - bits: what {worth} {verb} worth"
    return meanings


def _schema(table: str, voices: Sequence[str]) -> pa.Schema:
    left_out = OF_TRACES if table == "states" else OF_STATES
    return pa.schema(
        [
            pa.field(name, COLUMNS[name][0] if name in COLUMNS else pa.float64(), metadata={"description": words})
            for name, words in _meanings(voices).items()
            if name not in left_out
        ]
    )


def _tables(
    model: Model, traces: Sequence[Trace], split: Split | None, voices: Mapping[str, Voice], verdicts: Verdicts,
    cache: NeuralCache | None, batch_tokens: int, done: Callable[[float], None],
) -> dict[str, pa.Table]:  # fmt: skip
    """Both tables' rows of some traces."""
    coded = model.codec.encode_marked(traces, verdicts=verdicts)
    encoded = [Encoded(one.ids, model.students.row(trace.student)) for trace, one in zip(traces, coded, strict=True)]
    if cache:
        pasts = [cache.past(trace.student, trace.title, trace.states[0].at) for trace in traces]
        others = [voice for name, voice in voices.items() if name not in ("own", UNCACHED)]
        bits = bits_with(model, encoded, pasts, batch_tokens=batch_tokens, done=done)
        if others:
            more = bits_of(model, encoded, others, batch_tokens=batch_tokens)
            bits = [np.concatenate(both) for both in zip(bits, more, strict=True)]
    else:
        pasts = [None] * len(traces)
        bits = bits_of(model, encoded, [*voices.values()], batch_tokens=batch_tokens, done=done)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for trace, one, past, bits_RN in zip(traces, coded, pasts, bits, strict=True):
        key = {
            "student": trace.student,
            "title": trace.title,
            "sample": trace.sample,
            "request": trace.request,
            "split": split.of.get(trace.pair) if split else None,
            "known": trace.student in model.students,
        }
        states = list(_states(trace, one, model.codec.charged(one.ids), dict(zip(voices, bits_RN, strict=True))))
        rows["states"] += [{**key, **state} for state in states]
        rows["traces"].append({**key, **_sums(trace, states), "keys": len(past.values) if past else 0})
    return {name: pa.Table.from_pylist(rows[name], schema=_schema(name, [*voices])) for name in TABLES}


def _states(
    trace: Trace, coded: Coded, charged_N: NDArray[np.bool_], bits: Mapping[str, NDArray[np.float64]]
) -> Iterator[dict[str, Any]]:
    """The rows of a trace's states, but for their key."""
    n = len(trace.states) + 1  # what belongs to none counts as state 0
    tokens = np.bincount(coded.states[charged_N], minlength=n)
    sums = {
        (voice, part): np.bincount(coded.states, weights=bits_N * (coded.parts == part), minlength=n)
        for voice, bits_N in bits.items()
        for part in (TIME, EDIT, ENDING)
    }
    total = 0.0
    for number, state in enumerate(trace.states, 1):
        row: dict[str, Any] = {"state": number, "tokens": int(tokens[number]), "characters": len(state.code)}
        for voice in bits:
            time, edit, ending = (float(sums[voice, part][number]) for part in (TIME, EDIT, ENDING))
            ends = trace.ended and number == len(trace.states)
            before = "" if voice == "own" else f"{voice}_"
            row[f"{before}bits"] = time + edit + ending
            row[f"{before}time_bits"], row[f"{before}edit_bits"] = time, edit
            row[f"{before}ending_bits"] = ending if ends else None
        total += row["bits"]
        row["cumulative_bits"] = total
        yield _with_what_follows(row, [*bits])


def _sums(trace: Trace, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The row of a trace, but for its key."""
    row: dict[str, Any] = {"states": len(states), "ended": trace.ended}
    for name in states[0]:
        if name in ("tokens", "characters") or name.endswith("bits"):
            values = [state[name] for state in states if state[name] is not None]
            row[name] = sum(values) if values else None
    return _with_what_follows(row, ["own", *(voice for voice in VOICES if f"{voice}_bits" in states[0])])


def _with_what_follows(row: dict[str, Any], voices: Sequence[str]) -> dict[str, Any]:
    """A row with the columns that follow from its bits."""
    row["edit_probability"] = 2.0 ** -row["edit_bits"]
    row["ending_probability"] = None if row["ending_bits"] is None else 2.0 ** -row["ending_bits"]
    for voice in voices[1:]:
        row[f"gained_over_{voice}"] = row[f"{voice}_bits"] - row["bits"]
    return row
