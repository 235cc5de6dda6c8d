"""What an attempt at mending a program is worth.

In: the failing program, the program that results, the student's real final program. Out: shares of lines kept, kept
success, edit sizes. 'Runs' alone can be won by deleting everything; **kept success** can't: the program runs, isn't
blank, keeps at least 80% of the failing program's lines, and is no farther (Levenshtein, characters) from the real
final program than the failing one was.

Kept lines are those of the failing program, blank ones aside, that stand in the new one unchanged and in order
(`data.edits`: difflib's matching blocks). The line that fails has to change, so a program of fewer than five lines
can't be mended so in place. Hence a second measure beside it, in which a line changed in place counts as kept if it is
still at least half of what it was (normalised Levenshtein similarity).
"""

from __future__ import annotations

from rapidfuzz.distance import Levenshtein

from redraft.data.edits import line_edits, lines_of


def kept_share(old: str, new: str, *, amended: float | None = None) -> float:
    """The share of `old`'s lines, blank ones aside, that `new` keeps; 0 if it has none.

    Args:
        old: The failing program.
        new: What became of it.
        amended: Similarity from which on a line changed in place counts; None: only unchanged lines count.
    """
    lines = [line for line in lines_of(old) if line.strip()]
    if not lines:
        return 0.0
    edits = line_edits(old, new)
    lost = [line for line in edits.deleted if line.strip()]
    for line, after in edits.modified:
        if line.strip() and (amended is None or Levenshtein.normalized_similarity(line, after) < amended):
            lost.append(line)
    return 1 - len(lost) / len(lines)


def likeness(old: str, new: str) -> float:
    """How much of `old` is left in `new`: the mean, over its lines that aren't blank, of what is left of the line.

    1 for a line that stands unchanged and in order, the normalised Levenshtein similarity for one changed in place, 0
    for one that is gone. 0 if there is no line.
    """
    lines = [line for line in lines_of(old) if line.strip()]
    if not lines:
        return 0.0
    edits = line_edits(old, new)
    lost = float(sum(1 for line in edits.deleted if line.strip()))
    lost += sum(1 - Levenshtein.normalized_similarity(line, after) for line, after in edits.modified if line.strip())
    return 1 - lost / len(lines)


def kept_success(
    failing: str, new: str, final: str, runs: bool | None, *, kept: float, amended: float | None = None
) -> bool | None:
    """Whether `new` is a kept success; None if it isn't known whether it runs.

    Args:
        failing: The program that fails.
        new: What became of it.
        final: The student's real final program.
        runs: Whether `new` runs.
        kept: Share of lines to be kept.
        amended: As in `kept_share`.
    """
    if runs is None:
        return None
    return (
        runs
        and bool(new.strip())
        and kept_share(failing, new, amended=amended) >= kept - 1e-9
        and Levenshtein.distance(new, final) <= Levenshtein.distance(failing, final)
    )


def typed(failing: str, codes: tuple[str, ...]) -> int:
    """Characters typed or deleted on the way: the sum of the Levenshtein distances from program to program."""
    return sum(Levenshtein.distance(old, new) for old, new in zip((failing, *codes), codes, strict=False))


def any_of(outcomes: list[bool | None]) -> bool | None:
    """Whether one of several is a success; unscored ones are left out, and nothing is known if all are."""
    scored = [outcome for outcome in outcomes if outcome is not None]
    return any(scored) if scored or not outcomes else None
