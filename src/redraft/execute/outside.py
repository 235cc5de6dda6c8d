"""Programs that need what no log holds: another script, or the HTML part of their page.

In: a program's text and what happened when it ran. Out: what it needs, and in which line; None if nothing. On the site
such a program runs with what it loads; here that isn't there, so what happens says nothing of the program: it is
`unscored`. One that can't be parsed is an error all the same.

Told by the text: a comment `# @script ADDRESS`, a call of `loadscript`, `$.getScript` or `importScripts`. Told by text
and outcome: an error about something that isn't there (null or undefined), in a line that looks up an element which the
program itself never makes. Not noticed: a part that is needed but whose lack makes no error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from redraft.data.languages import COFFEESCRIPT, JAVASCRIPT

_PRAGMA = re.compile(r"^[ \t]*(?:#|//)[ \t]*@script[ \t]+\S", re.MULTILINE)
_LOADS = re.compile(r"""^[^#'"\n]*?(?:\bloadscript\b|\$\.getScript\b|\bimportScripts\b)""", re.MULTILINE)
_MISSING = re.compile(
    r"(?:properties|property '[^']*') of (?:null|undefined)|^(?:null|undefined) is not an object|is null$"
)
_LOOKS_UP = re.compile(
    r"""(?:getElementById|getElementsBy\w+|querySelector(?:All)?)\s*\(?\s*(['"])(?P<name>[^'"]*)\1"""
    r"""|\$\s*\(?\s*(['"])(?P<query>[#.][^'"]*)\3"""
)


class Needed(NamedTuple):
    """What a program needs."""

    what: str
    line: int


def needed(code: str, language: str, messages: Sequence[tuple[str, int | None]]) -> Needed | None:
    """What a program needs that no log holds.

    Args:
        code: Its text.
        language: In which it ran.
        messages: Of the errors while it ran, and their lines.
    """
    if language not in (COFFEESCRIPT, JAVASCRIPT):
        return None
    for pattern, what in ((_PRAGMA, "a script (@script)"), (_LOADS, "a script that it loads")):
        if match := pattern.search(code):
            return Needed(what, _line(code, match.end()))
    return _html_part(code, messages)


def _html_part(code: str, messages: Sequence[tuple[str, int | None]]) -> Needed | None:
    lines = code.split("\n")
    for message, line in messages[:1]:
        if line is None or not 1 <= line <= len(lines) or not _MISSING.search(message):
            continue
        names = set(re.findall(r"[A-Za-z_$][\w$]*", lines[line - 1]))
        for match in _LOOKS_UP.finditer(code):
            at = _line(code, match.start())
            assigned = re.match(r"\s*(?:(?:var|let|const)\s+)?([A-Za-z_$][\w$]*)\s*=[^=]", lines[at - 1])
            if at != line and not (assigned and assigned[1] in names):
                continue
            name = (match["name"] or match["query"] or "").lstrip("#.")
            if name and not re.search(rf"\bid\s*[=:,]?\s*['\"]*\s*[=:,]?\s*['\"]?{re.escape(name)}\b", code):
                return Needed("the HTML part of its page", line)
    return None


def _line(code: str, place: int) -> int:
    return code.count("\n", 0, place) + 1
