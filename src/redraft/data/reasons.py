"""Why rows aren't used, in words, and what to do about it.

In: a reason, as `rejected` counts it. Out: words and a remedy, for messages. A reason that isn't listed is shown as it
stands. What exactly each means for a format is said by that format's source.
"""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, tuple[str, str]] = {
    "malformed": (
        "not written as the format has it",
        "Perhaps it is of another format; of a table, say what separates its columns with --separator.",
    ),
    "not_utf8": ("not UTF-8", "Save the file as UTF-8, or, of a table, say its encoding: --encoding cp1252, for one."),
    "not_text": ("a list or an object where a value is wanted", "Name a column inside it with a dot, such as a.b."),
    "too_long": ("longer than any draft", "Look at these lines: a quote or a line end may be missing."),
    "not_where": ("left out by --where", "Look at how the column's values are written."),
    "other_event": ("other events", "Name the events that make a draft with --events."),
    "other_action": ("other actions", "Name the actions that make a draft with --actions."),
    "not_log": ("requests for something else", "Give the logs with requests of /log/."),
    "no_student": ("no student", "Name the column that holds the students' ids."),
    "rounded_id": (
        "ids rounded by a spreadsheet or kept as decimals, which may be any of many",
        "Export the ids as text.",
    ),
    "damaged_file": ("a damaged file", "Copy it anew."),
    "packed_twice": ("a file packed twice", "Unpack it once."),
    "foreign_file": ("a file of another kind", "Save it as CSV, JSON lines or Parquet; unpack archives."),
    "unpacks_too_far": ("a file that unpacks too far", "If it is what it should be, allow more with --unpack-ratio."),
    "no_person": (
        "sites that belong to no person: event, example, frame, guide, gymstage, share, start",
        "Tell people apart by --identity uid, or keep these sites with --shared-sites.",
    ),
    "no_consent": ("students left out by the lists", "Correct the list of students."),
    "no_title": ("no title", "Name the column that says what was to be written."),
    "bad_title": ("a title that can't be read", "Look at these lines."),
    "bad_time": (
        "no time that can be read",
        "Say how times are written with --time-format, such as '%d.%m.%y %H:%M' or excel; or order drafts by a column "
        "of numbers with --order.",
    ),
    "date_only": (
        "days without a time of day",
        "Name a column with times of day; or order drafts by a column of numbers with --order; or say with "
        "--time-format '%Y-%m-%d' that midnight is meant.",
    ),
    "day_or_month": ("days and months in an order that isn't told", "Say it with --time-format."),
    "twice_that_day": (
        "local times that a change of clocks makes come twice", "Export times with their offset, or in UTC."
    ),
    "bad_timezone": ("a time zone that isn't known", "Write zones like Europe/Berlin or +0200."),
    "bad_order": (
        "no number to order by", "Name a column of numbers with --order; if they have decimal commas, add --decimal ,."
    ),
    "bad_score": ("no score from 0 to the best one", "Say the best one with --score-max; see also --decimal."),
    "bad_verdict": (
        "a word that is no verdict that is known",
        "Write verdicts as ok, failed, error, timeout, memory, crash or unscored; or leave --verdict out.",
    ),
    "no_code": ("no program", "Name the column that holds the programs."),
    "bad_escape": ("a program whose escapes are broken", "Look at these lines: they may be cut off."),
    "empty_edge": ("empty programs at the ends of traces", "Nothing but empty programs is left."),
}  # fmt: skip
"""Reason -> what it means, and what to do if it is why nothing is left."""

MENDABLE = frozenset({
    "not_utf8", "not_text", "bad_time", "date_only", "day_or_month", "twice_that_day", "bad_timezone", "bad_order",
    "bad_score", "bad_verdict", "rounded_id",
})  # fmt: skip
"""Reasons that an option or another export removes: what to do is told even if only some rows are lost by them."""


def in_words(reason: str) -> str:
    """What a reason means."""
    return REASONS[reason][0] if reason in REASONS else reason.replace("_", " ")


def remedy_of_most(rejected: Mapping[str, int], columns: Mapping[str, str | None]) -> str:
    """The counts by reason, the largest first, and what to do about that one.

    Args:
        rejected: Reason -> rows.
        columns: Reason -> the column that it is about, where that is known.
    """
    counts = sorted(rejected.items(), key=lambda item: (-item[1], item[0]))
    where = {reason: f" in the column {name!r}" for reason, name in columns.items() if name}
    told = ", ".join(f"{count:,} {reason} ({in_words(reason)}{where.get(reason, '')})" for reason, count in counts)
    remedy = next((REASONS[reason][1] for reason, _ in counts if reason in REASONS), "")
    return f"Not used: {told}. {remedy}".strip()
