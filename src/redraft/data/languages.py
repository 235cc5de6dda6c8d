"""Programming languages: what each is called here, how people and logs spell it, and how its files end.

In: a word of a log or of a user, or a file's name. Out: a language's name, as a state records it. A language that
isn't listed is recorded in lower case as its log spells it: it has no metrics of its own and no engine, but is kept.
Which languages can be executed is told by `redraft.execute.registry`; what comments and functions look like in one,
by `redraft.metrics.languages`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from redraft.errors import UsageError

COFFEESCRIPT, JAVASCRIPT, PYTHON, JAVA = "coffeescript", "javascript", "python", "java"


@dataclass(frozen=True, kw_only=True)
class Language:
    """A programming language."""

    name: str
    """As states record it."""
    label: str
    """As people write it."""
    spellings: tuple[str, ...] = ()
    """Other words for it in logs, in lower case."""
    suffixes: tuple[str, ...] = ()
    """How files of programs in it end, for commands that read such files."""


LANGUAGES = {
    language.name: language
    for language in (
        Language(
            name=COFFEESCRIPT,
            label="CoffeeScript",
            suffixes=(".coffee",),
            spellings=("coffee", "icedcoffeescript", "coffeescript1", "coffeescript2"),
        ),
        Language(
            name=JAVASCRIPT,
            label="JavaScript",
            suffixes=(".js",),
            spellings=("js", "ecmascript", "es5", "es6", "node", "nodejs", "node.js"),
        ),
        Language(
            name=PYTHON,
            label="Python",
            suffixes=(".py",),
            spellings=("py", "py2", "py3", "python2", "python3", "cpython"),
        ),
        Language(name=JAVA, label="Java", suffixes=(".java",)),
        Language(name="c", label="C", spellings=("ansic",)),
        Language(name="c++", label="C++", spellings=("cpp", "cplusplus", "cxx")),
        Language(name="c#", label="C#", spellings=("csharp",)),
        Language(name="r", label="R"),
        Language(name="matlab", label="MATLAB"),
        Language(name="haskell", label="Haskell", spellings=("hs",)),
        Language(name="ocaml", label="OCaml", spellings=("ml",)),
        Language(name="racket", label="Racket", spellings=("rkt",)),
        Language(name="sql", label="SQL"),
        Language(name="snap", label="Snap!", spellings=("snap!", "isnap")),
        Language(name="scratch", label="Scratch"),
        Language(name="typescript", label="TypeScript", spellings=("ts",)),
        Language(name="html", label="HTML"),
        Language(name="css", label="CSS"),
        Language(name="php", label="PHP"),
        Language(name="ruby", label="Ruby", spellings=("rb",)),
        Language(name="kotlin", label="Kotlin", spellings=("kt",)),
        Language(name="swift", label="Swift"),
        Language(name="go", label="Go", spellings=("golang",)),
        Language(name="rust", label="Rust", spellings=("rs",)),
        Language(name="pascal", label="Pascal"),
        Language(name="lua", label="Lua"),
        Language(name="bash", label="Bash", spellings=("sh", "shell")),
    )
}
"""Name -> language."""
_SPELLED = {word: each.name for each in LANGUAGES.values() for word in (each.name, *each.spellings)}
SUFFIXES = {suffix: each.name for each in LANGUAGES.values() for suffix in each.suffixes}
"""How a file's name ends -> the name of its language."""


def known_language(word: str) -> str | None:
    """The language that a word means, however it is spelled; None if it means none of those listed.

    Case, blanks, hyphens and a version behind the name don't matter: `Python 3.8`, `Coffee-Script`, `C++17`.
    """
    plain = re.sub(r"[\s_-]+", "", word.casefold())
    return _SPELLED.get(plain) or _SPELLED.get(re.sub(r"(?<=[a-z+#])v?[0-9][0-9.]*$", "", plain))


def language_option(word: str, where: str = "--language") -> str:
    """The language that a user means.

    Raises:
        UsageError: It is none of those known.
    """
    if (found := known_language(word)) is None:
        raise UsageError(
            f"{word!r} is no language that is known.", where=where, remedy=f"Known are: {', '.join(sorted(LANGUAGES))}."
        )
    return found


def language_named(word: str) -> str:
    """The language's name, however a log spells it; of one that isn't listed, the word in lower case."""
    return known_language(word) or word.strip().lower()


def language_of(file: str | Path) -> str | None:
    """The language of a program's file, by its name's end; None if that tells none."""
    return SUFFIXES.get(Path(file).suffix.lower())


def labels(names: tuple[str, ...]) -> str:
    """Languages in words: `CoffeeScript and JavaScript`."""
    words = [LANGUAGES[name].label if name in LANGUAGES else name for name in names]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
