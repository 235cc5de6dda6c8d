"""How names look in programs of each language, and which the platform defines.

In: nothing; to list a platform's names, a runner. Out: `lexicon_of`, a `Lexicon` per language. Not a parser: a name is
what looks like one outside strings and comments, and is taken for defined in a program where it is assigned, counted
with `for`, declared, imported, or a function's argument.
"""

from __future__ import annotations

import builtins
import json
import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from redraft.data.languages import COFFEESCRIPT, JAVASCRIPT, PYTHON
from redraft.execute.v8.bundle import bundle_text
from redraft.studies.common.running import Code, Runner

_STRINGS = r"\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
_NAME = r"(?P<name>(?<![\w$])[A-Za-z_$][\w$]*)"
WORD = re.compile(r"[A-Za-z_$][\w$]*")
_DEFINED = re.compile(
    r"([A-Za-z_$][\w$]*)\s*(?:=(?!=)|\+=|:)"
    r"|\b(?:for(?:\s+own)?|var|let|const|class|function|catch)\s+([A-Za-z_$][\w$]*(?:\s*,\s*[A-Za-z_$][\w$]*)*)"
    r"|\(([\w$\s,=.@]*)\)\s*(?:[-=]>|\{)"
)
_LIST = r"[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*"
_DEFINED_IN_PYTHON = re.compile(
    rf"({_LIST})\s*(?:=(?!=)|[-+*/%&|^]=|//=|\*\*=|:=|:(?=[^\n]*=))"
    rf"|\b(?:for|import|global|nonlocal)\s+\(?({_LIST})|\bas\s+([A-Za-z_]\w*)|\blambda\s+({_LIST})"
    r"|\b(?:def|class)\s+([A-Za-z_]\w*\s*(?:\([^)]*\))?)"
)
KEYWORDS = frozenset(
    """and await break by case catch class const continue debugger default defer delete do else extends false finally
    for function if in instanceof is isnt let loop new no not null of off on or own return super switch then this throw
    true try typeof undefined unless until var void when while with yes yield autocb""".split()  # noqa: SIM905
)
"""Words of CoffeeScript and JavaScript."""
_PYTHON_TYPES = (str, list, dict, set, tuple, int, float, bytes)
LISTING = """(function () {
  var defined = %s.split(' ').filter(function (name) { return name in window || name in turtle; }).join(' ');
  for (var part = 0; part < 20; part++) console.error('names:' + defined.substr((20 * %d + part) * 300, 300) + '.');
})()"""
"""A program that says which words the platform defines, in the only way a program can: as its errors.

They can't be listed, as many come into being when a program first uses them, but each can be asked for.
"""


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """A language's names."""

    tokens: re.Pattern[str]
    """Matches strings, comments and names; of the latter the group `name`."""
    defined: re.Pattern[str]
    """Its groups hold names that a program defines."""
    keywords: frozenset[str]
    quoted: re.Pattern[str]
    """What of an error's message may be a name of the program."""
    platform: Callable[[Runner], frozenset[str]]
    """The names that the platform defines for programs."""


def _pencil_code(runner: Runner) -> frozenset[str]:
    """Those of Pencil Code, the turtle's methods included, as the platform itself says.

    Every name that the runtime defines stands somewhere in its text; so all words of that are asked for.
    """
    words = sorted(set(WORD.findall(bundle_text("runtime").replace("\\n", " "))) - KEYWORDS)
    text = ""
    for page in count():
        listing = LISTING % (json.dumps(" ".join(words)), page)
        (verdict,) = runner.verdicts([Code(listing, JAVASCRIPT)], label="names")
        found = [e.message[6:-1] for e in verdict.errors if e.message.startswith("names:")]
        text += "".join(found)
        if not found or not found[-1]:
            break
    return frozenset(name for name in text.split() if WORD.fullmatch(name))


def _python(runner: Runner) -> frozenset[str]:
    """Python's own, the methods of its types included."""
    names = {*dir(builtins), *(name for kind in _PYTHON_TYPES for name in dir(kind))}
    return frozenset(name for name in names if not name.startswith("_"))


def _tokens(comment: str) -> re.Pattern[str]:
    return re.compile(f"{_STRINGS}|{comment}|{_NAME}")


_COFFEESCRIPT = Lexicon(
    tokens=_tokens(r"\#.*"), defined=_DEFINED, keywords=KEYWORDS, quoted=WORD, platform=_pencil_code
)
LEXICONS: dict[str, Lexicon] = {
    COFFEESCRIPT: _COFFEESCRIPT,
    JAVASCRIPT: Lexicon(
        tokens=_tokens(r"//.*|/\*[\s\S]*?\*/"), defined=_DEFINED, keywords=KEYWORDS, quoted=WORD, platform=_pencil_code
    ),
    PYTHON: Lexicon(
        tokens=_tokens(r"\#.*"), defined=_DEFINED_IN_PYTHON, keywords=frozenset(keyword.kwlist),
        quoted=re.compile(r"(?<=')[A-Za-z_]\w*(?=')|[A-Za-z_]\w*(?=\(\))"), platform=_python,
    ),
}  # fmt: skip
"""Language -> lexicon."""


def lexicon_of(language: str | None) -> Lexicon:
    """A language's lexicon; of one that has none, CoffeeScript's."""
    return LEXICONS.get(language or COFFEESCRIPT, _COFFEESCRIPT)
