"""Names in programs: which are known, and which one was probably meant.

In: a program, and the names that the platform defines. Out: programs in which an unknown name is replaced by a known
one that is near. `lexicon` says what names look like in a language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import TypeVar

from rapidfuzz.distance import OSA

from redraft.lm.continuation import Place
from redraft.studies.common.running import Runner
from redraft.studies.recover.lexicon import LEXICONS, WORD, lexicon_of
from redraft.studies.recover.problem import Problem

T = TypeVar("T")


def platform_names(runner: Runner) -> frozenset[str]:
    """The names that the platform defines for programs of the languages that an engine judges."""
    ways = dict.fromkeys(LEXICONS[language].platform for language in runner.languages if language in LEXICONS)
    return frozenset[str]().union(*(way(runner) for way in ways))


def names_in(code: str, language: str | None) -> list[tuple[str, int, int]]:
    """Each name of a program with its start and end, in order; strings and comments left out."""
    return [(m["name"], m.start(), m.end()) for m in lexicon_of(language).tokens.finditer(code) if m["name"]]


def defined_in(code: str, language: str | None = None) -> set[str]:
    """The names that a program itself defines, as far as simple patterns tell."""
    return {name for match in lexicon_of(language).defined.finditer(code) for group in match.groups() if group
            for name in WORD.findall(group)}  # fmt: skip


def repairs(problem: Problem, platform: Collection[str], usage: Mapping[str, int]) -> Iterator[str]:
    """Programs in which unknown names are replaced by near known ones, the likeliest first.

    Names that the error tells of come first, then those of the line that fails, then the others from top to bottom.
    Each is replaced wherever it stands, by the nearest known name first (optimal string alignment: letters inserted,
    deleted, replaced, or swapped with a neighbour); of names as near, by what other programs of the title use more.
    The second program, if several names are unknown, has all of them replaced by their nearest.

    Args:
        problem: The failing program.
        platform: Names that the platform defines.
        usage: How often programs of the title use a name.
    """
    code, language = problem.failing.code, problem.failing.language
    found = names_in(code, language)
    keywords = lexicon_of(language).keywords
    known = {*platform, *defined_in(code, language)} - keywords
    suspects = _suspects(problem, found, known | keywords)
    options = {name: _nearest(name, known, usage) for name in suspects}
    suspects = [name for name in suspects if options[name]]
    turns = in_turn(*([(name, new) for new in options[name]] for name in suspects))
    for number, (name, new) in enumerate(turns):
        yield _replaced(code, found, {name: new})
        if number == 0 and len(suspects) > 1:
            yield _replaced(code, found, {each: options[each][0] for each in suspects})


def in_turn(*lists: Iterable[T]) -> Iterator[T]:
    """The first of each list, then the second of each that has one, and so on; none of them holds None."""
    return (each for round_ in zip_longest(*lists) for each in round_ if each is not None)


def blamed(problem: Problem) -> Place | None:
    """The place that the verdict blames: the first name in its line that its message tells of, else the line's head.

    None if it blames no line.
    """
    line = problem.error_line
    if line is None:
        return None
    code = problem.failing.code
    quoted = lexicon_of(problem.failing.language).quoted
    told = {word for error in problem.verdict.errors[:1] for word in quoted.findall(error.message)}
    begin = sum(len(each) + 1 for each in code.split("\n")[:line])
    end = begin + len(code.split("\n")[line])
    found = names_in(code, problem.failing.language)
    return Place(line, next((start - begin for name, start, _ in found if name in told and begin <= start < end), 0))


def usage_of(programs: Iterable[str], language: str | None) -> Counter[str]:
    """How many of some programs use each name."""
    return Counter(name for code in programs for name in {name for name, *_ in names_in(code, language)})


def _suspects(problem: Problem, found: list[tuple[str, int, int]], known: Collection[str]) -> list[str]:
    quoted = lexicon_of(problem.failing.language).quoted
    told = {word for error in problem.verdict.errors for word in quoted.findall(error.message)}
    code, line = problem.failing.code, problem.error_line
    first = {name: start for name, start, _ in reversed(found) if name not in known}
    there = {name for name, start, _ in found if line is not None and code.count("\n", 0, start) == line}
    return sorted(first, key=lambda name: (name not in told, name not in there, first[name]))


def _nearest(name: str, known: Collection[str], usage: Mapping[str, int]) -> list[str]:
    """Known names by nearness, those that have something in common with `name`."""
    apart = {other: OSA.distance(name, other) for other in known if other != name}
    near = [other for other, distance in apart.items() if distance < max(len(name), len(other))]
    return sorted(near, key=lambda other: (apart[other], -usage.get(other, 0), other))


def _replaced(code: str, found: list[tuple[str, int, int]], new: Mapping[str, str]) -> str:
    parts, at = [], 0
    for name, start, end in found:
        if name in new:
            parts += [code[at:start], new[name]]
            at = end
    return "".join([*parts, code[at:]])
