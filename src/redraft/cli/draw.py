"""`redraft draw`: what a program draws, as a picture or a timeline; or many on a contact sheet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from redraft.data.languages import language_of
from redraft.errors import InputError, UsageError
from redraft.execute.registry import DEFAULT_ENGINE, ENGINES
from redraft.progress import say, track

if TYPE_CHECKING:
    from redraft.execute.sheet import Cell, Chosen

Count = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=500))]
Pixels = Annotated[int, Parameter(validator=validators.Number(gte=16, lte=4_096))]
Flag = Annotated[bool, Parameter(negative="")]
LARGEST = 2_000_000
"""Bytes of a program that are read."""
ONE, EACH = 20_000, 2_000
"""Marks of one picture, and of each on a sheet."""


def draw(
    program: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    *,
    out: Path | None = None,
    timeline: Path | None = None,
    sheet: Path | None = None,
    number: Count = 48,
    seed: int = 0,
    code: Flag = False,
    crop: Flag = False,
    width: Pixels | None = None,
) -> None:
    """Draw what a program draws, or a contact sheet of many.

    Example: redraft draw house.coffee --out house.svg

    The program runs as `redraft execute` runs it: headless, in its own process, in virtual time. A picture of a
    program that fails shows what it drew before. For a sheet: redraft draw --sheet class/dataset --out sheet.html

    Args:
        program: A file of CoffeeScript (.coffee) or JavaScript (.js), or - for standard input. Of other files and
            standard input CoffeeScript is tried first, then JavaScript.
        out: The picture: .svg or .png; for a sheet also .html.
        timeline: Also write what appears when, as JSON that a page can replay.
        sheet: Instead of one program: a dataset (its final programs) or a file of JSON lines with `code`, and perhaps
            `language` and `title`, each.
        number: How many programs a sheet shows.
        seed: Chooses them.
        code: Show their text too (sheet of .html only). Students' programs may hold names.
        crop: Show only what is drawn, not the whole turtle field. A sheet always does.
        width: Pixels across a .png, at most 4,096; by default as many as the picture's units, at most 1,600.
    """
    if program is not None and program.startswith("-") and program != "-":
        # What begins with a hyphen is let through for `-` alone.
        raise UsageError(f"unknown option {program!r}.", remedy="See: redraft draw --help")
    if (program is None) == (sheet is None):
        raise UsageError("needs either a program or --sheet.", remedy="See: redraft draw --help")
    if sheet is not None:
        if out is None or timeline is not None:
            raise UsageError("a sheet needs --out, and has no --timeline.", remedy="See: redraft draw --help")
        _sheet(sheet, out, number=number, seed=seed, code=code, width=width)
    elif out is None and timeline is None:
        raise UsageError("needs --out or --timeline.", remedy="See: redraft draw --help")
    else:
        assert program is not None
        _one(program, out, timeline, crop=crop, width=width)


def _one(program: str, out: Path | None, timeline: Path | None, *, crop: bool, width: int | None) -> None:
    from redraft.execute.draw import svg
    from redraft.execute.draw import timeline as replay
    from redraft.execute.sheet import Chosen
    from redraft.rundir import write_json

    writer = _writer(out, (".svg", ".png"), width) if out else None
    name = "standard input" if program == "-" else program
    chosen = Chosen(code=_text(program), language=_language(program), title=name)
    (cell,) = _run([chosen], most=ONE)
    if cell.drawing is None:
        raise InputError(f"was stopped before its drawing could be taken: {cell.verdict}.", where=name)
    if out and writer:
        writer(svg(cell.drawing, crop=crop))
    if timeline:
        write_json(timeline, replay(cell.drawing))
    shown = ", ".join(str(file) for file in (out, timeline) if file)
    cut = "; cut short, it draws too much" if cell.drawing.cut else ""
    if cell.drawing.until is not None:
        cut += f"; it goes on, and is drawn as it is after {cell.drawing.until / 1000:g} s"
    say(f"{shown}: {len(cell.drawing.marks):,} marks; the program's verdict is {cell.verdict}{cut}")


def _language(program: str) -> str | None:
    """What a file's name says, if it is a language that the engine judges."""
    found = language_of(program)
    return found if found in ENGINES[DEFAULT_ENGINE].languages else None


def _sheet(source: Path, out: Path, *, number: int, seed: int, code: bool, width: int | None) -> None:
    from redraft.execute import sheet

    writer = _writer(out, (".html", ".svg", ".png"), width)
    if code and out.suffix != ".html":
        raise UsageError("shows program text on a page only.", where="--code", remedy="Give --out FILE.html.")
    found, origin = sheet.programs(source)
    cells = _run(sheet.choose(found, number, seed), most=EACH)
    if out.suffix == ".html":
        note = f"A sample of {source.resolve().name}{f', {origin}' if origin else ''}, seed {seed}."
        writer(sheet.page(cells, heading="What programs draw", note=note, code=code))
    else:
        writer(sheet.picture(cells))
    say(f"{out}: {sheet.counts(cells)}")


def _writer(out: Path, suffixes: Sequence[str], width: int | None) -> Callable[[str], None]:
    """What writes a picture's or page's text to `out`; asked for before anything runs: a wrong name costs little.

    Raises:
        UsageError: `out` isn't called as a format that fits, or --width doesn't apply.
    """
    from redraft.execute.draw import png
    from redraft.rundir import atomic_file, write_text

    if out.suffix not in suffixes:
        known = ", ".join(suffixes[:-1]) + " or " + suffixes[-1]
        raise UsageError(f"can't write a file called {out.name!r}.", where="--out", remedy=f"Call it {known}.")
    if width is not None and out.suffix != ".png":
        raise UsageError("applies to .png only.", where="--width", remedy="Leave it out.")

    def write(text: str) -> None:
        if out.suffix != ".png":
            write_text(out, text)
            return
        with atomic_file(out) as temporary:
            temporary.write_bytes(png(text, width=width))

    return write


def _text(program: str) -> str:
    if program == "-":
        data = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with Path(program).open("rb") as file:
            data = file.read(LARGEST + 1)
    where = "standard input" if program == "-" else program
    if len(data) > LARGEST:
        raise InputError(f"is over {LARGEST:,} bytes, too long for a program.", where=where)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 (byte {error.start:,}).", where=where) from error


def _run(programs: Sequence[Chosen], *, most: int) -> list[Cell]:
    """Run programs for their drawings, of at most so many marks."""
    from redraft.execute.engine import EngineOptions, make_engine
    from redraft.execute.sheet import cells

    with make_engine(DEFAULT_ENGINE, EngineOptions(workers=1, drawing=True)) as engine:
        return list(track(cells(programs, engine, most=most), "Drawing", total=len(programs)))
