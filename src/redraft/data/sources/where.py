"""Which rows of a table are wanted: conditions as users write them.

In: texts like `event=run`, `course!=test`, `attempt<=3`. Out: an SQL condition over columns `where_0`, `where_1` and so
on, and the values it names. Of several conditions all must hold; of several `=` on one column any. Texts are compared
as they stand, without space around them; `<`, `<=`, `>` and `>=` compare numbers, and don't hold of what is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from redraft.errors import UsageError

_CONDITION = re.compile(r"\s*(.+?)\s*(==|!=|<=|>=|=|<|>)\s*(.*?)\s*", re.DOTALL)
_REMEDY = "Write a condition like 'event=run', 'course!=test' or 'attempt<=3'."


@dataclass(frozen=True, kw_only=True)
class Where:
    """Conditions on rows."""

    columns: tuple[str, ...] = ()
    """The columns they look at; column number i is called `where_i` in `sql`."""
    sql: str = "true"
    values: dict[str, str | float] = field(default_factory=dict)


def where(conditions: Sequence[str]) -> Where:
    """Conditions from what users write.

    Raises:
        UsageError: One can't be understood.
    """
    columns: list[str] = []
    equal: dict[int, list[str]] = {}
    parts: list[str] = []
    values: dict[str, str | float] = {}
    for condition in conditions:
        match = _CONDITION.fullmatch(condition)
        if match is None:
            raise UsageError(f"{condition!r} is no condition.", where="--where", remedy=_REMEDY)
        name, sign, value = match.groups()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        if name not in columns:
            columns.append(name)
        place, key = columns.index(name), f"value_{len(values)}"
        text = f"trim(coalesce(where_{place}, ''))"
        if sign in ("=", "=="):
            values[key] = value
            equal.setdefault(place, []).append(f"{text} = ${key}")
        elif sign == "!=":
            values[key] = value
            parts.append(f"{text} <> ${key}")
        else:
            try:
                values[key] = float(value)
            except ValueError as error:
                cause = f"{condition!r} compares with something that is no number."
                raise UsageError(cause, where="--where", remedy=_REMEDY) from error
            parts.append(f"coalesce(TRY_CAST(where_{place} AS DOUBLE) {sign} ${key}, false)")
    parts.extend(f"({' OR '.join(any_of)})" for any_of in equal.values())
    return Where(columns=tuple(columns), sql=" AND ".join(parts) or "true", values=values)
