"""The released code's metrics, written plainly with difflib: slow, and what the fast ones must equal to the last bit.

`marked` follows `difflib.Differ` of CPython up to 3.12 without using it, since later versions pair lines differently.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import Differ, SequenceMatcher
from functools import lru_cache

import numpy as np

from redraft.metrics.released.colours import COLOURS

EDITS = (
    "lines_added", "lines_deleted", "lines_modified", "color_changes", "number_changes", "comment_additions",
    "function_additions", "num_large_add", "num_large_del", "num_small_add", "num_small_del", "num_modify_existing",
)  # fmt: skip
PIECE = re.compile(r"CODE \d+.*?(?=CODE \d+|\Z)", re.DOTALL)
INNER = re.compile(r"CODE (\d+) \((.*?)\):\n(.*)", re.DOTALL)
FINAL = re.compile(r"CODE (\d+) \((.*?)\):\n(.*?)(?=<\|endoftext\|>)", re.DOTALL)
COLOUR = re.compile(r"\b(" + "|".join(COLOURS) + r")\b")


def programs(text: str) -> tuple[list[tuple[int, str, str]], bool]:
    """(number, date, program) of each program, and whether the last piece ends."""
    pieces = PIECE.findall(text)
    matches = [INNER.match(piece) for piece in pieces[:-1]] + [FINAL.match(piece) for piece in pieces[-1:]]
    ended = bool(pieces) and "<|endoftext|>" in pieces[-1]
    found = [(int(m[1]), m[2], m[3]) for m in matches if m]
    if found and not found[-1][2].strip():
        found.pop()
    again = "".join(f"CODE {number} ({date}):\n{program}" for number, date, program in found).strip()
    if not found or matches.count(None) > 1 or again not in text:
        return [], ended
    return found, ended


def distance(old: str, new: str) -> int:
    return int(max(len(old), len(new)) * (1 - SequenceMatcher(None, old, new).ratio()))


def marked(a: Sequence[str], b: Sequence[str]) -> Iterator[str]:
    """The `- ` and `+ ` lines of `Differ().compare(a, b)`."""
    for tag, alo, ahi, blo, bhi in SequenceMatcher(None, a, b).get_opcodes():
        if tag != "equal":
            yield from _changed(a[alo:ahi], b[blo:bhi])


def _changed(a: Sequence[str], b: Sequence[str]) -> Iterator[str]:
    pairs = [(i, j) for j in range(len(b)) for i in range(len(a))]
    best, at = 0.74, None
    for i, j in pairs:
        if a[i] != b[j] and _ratio(a[i], b[j]) > best:
            best, at = _ratio(a[i], b[j]), (i, j)
    if best < 0.75:
        at = next(((i, j) for i, j in pairs if a[i] == b[j]), None)
    removed, added = ["- " + line for line in a], ["+ " + line for line in b]
    if at is None:
        yield from (*added, *removed) if len(b) < len(a) else (*removed, *added)
        return
    i, j = at
    yield from _changed(a[:i], b[:j])
    if a[i] != b[j]:
        yield removed[i]
        yield added[j]
    yield from _changed(a[i + 1 :], b[j + 1 :])


@lru_cache(maxsize=10_000)
def _ratio(old: str, new: str) -> float:
    return SequenceMatcher(None, old, new).ratio()


def differ(a: Sequence[str], b: Sequence[str]) -> list[str]:
    """The library's own `Differ`, where it is still the one in question."""
    if sys.version_info >= (3, 13):
        return list(marked(a, b))
    return [line for line in Differ().compare(a, b) if line[:2] in ("- ", "+ ")]


def edit(old: str, new: str) -> dict[str, int]:
    lines = differ(old.splitlines(), new.splitlines())
    counts, done = dict.fromkeys(EDITS, 0), set()
    for place, (sign, line) in enumerate((line[0], line[2:]) for line in lines):
        others = lines[place + 1 :] if sign == "-" else lines[:place][::-1]
        other = next((other[2:] for other in others if other[0] != sign), None)
        if line in done or other is None:
            continue
        done |= {line, other}
        if other:
            counts["lines_modified"] += 1
            if COLOUR.sub("<COLOR>", line) == COLOUR.sub("<COLOR>", other):
                counts["color_changes"] += 1
            elif re.sub(r"\d+", "", line) == re.sub(r"\d+", "", other):
                counts["number_changes"] += 1
    for sign, line in ((line[0], line[2:]) for line in lines):
        if line not in done:
            counts["lines_added" if sign == "+" else "lines_deleted"] += 1
            counts["comment_additions"] += sign == "+" and line.strip().startswith("#")
            counts["function_additions"] += sign == "+" and "->" in line
    added, deleted = counts["lines_added"], counts["lines_deleted"]
    kind = "large_add" if added >= 5 else "large_del" if deleted >= 5 else "small_add" if added else ""
    counts[f"num_{kind or ('small_del' if deleted else 'modify_existing')}"] = 1
    return counts


def measure(text: str) -> dict[str, object] | None:
    """The metrics of a text by column; None where the released code fails."""
    found, _ = programs(text)
    if not found:
        return None
    numbers, dates, codes = zip(*found, strict=True)
    try:
        times = [datetime.strptime(date, "%Y-%m-%d %H:%M:%S") for date in dates]
    except ValueError:
        return None
    final, n = codes[-1], len(codes)
    away = [distance(code, final) for code in codes[:-1]] or [0]
    steps = [distance(old, new) for old, new in itertools.pairwise(codes)] or [0]
    gaps = [(new - old).total_seconds() for old, new in itertools.pairwise(times)] or [0.0]
    edits = [edit(old, new) for old, new in itertools.pairwise(codes)]
    row: dict[str, object] = {
        "trace_year_last": int(dates[-1][:4]), "program_number_last": numbers[-1],
        "num_occurrences_box_last": _word("box", final), "num_occurrences_await_last": _word("await", final),
        "num_occurrences_turtle_last": _word("turtle", final), "num_functions_last": _functions(final),
        "num_comments_last": sum(token.startswith("#") for token in final.split()),
        "trace_length": n,
        "backtracking_ratio": sum(new > old for old, new in itertools.pairwise(away)) / len(away),
        "mean_edit_distance_from_end": float(np.mean(away)), "first_to_last_edit_distance": away[0],
        "mean_sequential_edit_distance": float(np.mean(steps)),
        "mean_time_diff": float(np.mean(gaps)), "total_time": (times[-1] - times[0]).total_seconds(),
    }  # fmt: skip
    in_programs = {
        "num_occurrences_box": [_word("box", code) for code in codes],
        "num_occurrences_turtle": [_word("turtle", code) for code in codes],
        "num_functions": [_functions(code) for code in codes],
    }
    row |= {f"sum_{name}": sum(values) for name, values in in_programs.items()}
    row |= {f"mean_{name}": float(np.mean(values)) for name, values in in_programs.items()}
    sums = {name: sum(counts[name] for counts in edits) for name in EDITS}
    row |= {f"edit_sum_{name}": total for name, total in sums.items()}
    row |= {f"edit_mean_{name}": total / n for name, total in sums.items()}
    colours = {name: final.lower().count(name) for name in COLOURS}
    row["colors_last"] = json.dumps({name: count for name, count in colours.items() if count})
    row["edit_dists_from_last"] = json.dumps(away)
    return row


def _word(word: str, code: str) -> int:
    return len(re.findall(rf"\b{word}\b", code))


def _functions(code: str) -> int:
    return len(re.findall(r"=\s*->", code))


def bleu(texts: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """nltk's corpus BLEU of orders 1 to 4, unsmoothed, by comparing each text with each of its references."""
    matches, totals, length, reference_length = [0] * 4, [0] * 4, 0, 0
    for text, others in zip(texts, references, strict=True):
        for order in range(4):
            counts, most = _grams(text, order), Counter[tuple[str, ...]]()
            for other in others:
                found = _grams(other, order)
                for gram in counts:
                    most[gram] = max(most[gram], found[gram])
            matches[order] += sum(min(count, most[gram]) for gram, count in counts.items())
            totals[order] += max(1, sum(counts.values()))
        length += len(text)
        reference_length += min((len(o) for o in others), key=lambda other: (abs(other - len(text)), other))
    if not matches[0]:
        return [0.0] * 4
    penalty = 1 if length > reference_length else math.exp(1 - reference_length / length)
    precisions = [n / of if n else sys.float_info.min for n, of in zip(matches, totals, strict=True)]
    return [penalty * math.exp(math.fsum(math.log(p) * (1 / n) for p in precisions[:n])) for n in range(1, 5)]


def _grams(text: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(text[place : place + order + 1]) for place in range(len(text) - order))


def self_bleu(texts: Sequence[Sequence[str]]) -> list[float]:
    return bleu(texts, [[*texts[:place], *texts[place + 1 :]] for place in range(len(texts))])
