"""A contact sheet: the drawings of a sample of programs on one page, to be looked at by people.

In: programs of a dataset (final ones) or of JSON lines, and what became of them. Out: one HTML file that needs nothing
else and runs no script, or the same sheet as SVG. The sample is seeded, each distinct program counts once, and its
choice depends on the programs alone, not on their order.

Not shown: who wrote a program and, unless asked for, its text. A drawing may still show words that a program writes.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from redraft.errors import InputError
from redraft.execute.draw import svg_element
from redraft.execute.drawing import MOST_MARKS, Drawing, clean, read_drawing
from redraft.execute.engine import Engine, execute
from redraft.execute.verdict import Program, Rule, Window

CELL = 240
"""Width of a cell of an SVG sheet, in pixels; a page's cells take the room there is."""
CAPTION = 30
ORIGINS = {"students": "written by students", "model": "written by a model", "simulated": "a simulated class"}
_ENDLESS = re.compile(r"\b(?:forever|tick|setInterval|requestAnimationFrame)\b")
_WATCHED = (
    Rule(
        summary="watched until the drawing is done, or for a minute if it may never be",
        window=lambda code: Window(60_000 if _ENDLESS.search(code) else 600_000, 0),
        passes=lambda code, attempt: not attempt.errors,
    ),
    Rule(
        summary="watched briefly",
        window=lambda code: Window(10_000, 0),
        passes=lambda code, attempt: not attempt.errors,
    ),
)
"""How long a program is watched for its drawing, in its own time: a verdict's window sees only the first moves of a
slow turtle. Where watching takes too long in our time, the next is tried."""
_CSS = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222; background: #fff; }
h1 { font-size: 1.3rem; margin: 0 0 .3rem; } p { margin: 0 0 1rem; color: #555; max-width: 60rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 14px; }
figure { margin: 0; border: 1px solid #ccc; border-radius: 4px; overflow: hidden; }
figure svg { width: 100%; height: 220px; display: block; }
.none { height: 220px; display: grid; place-items: center; color: #777; }
figcaption { padding: 4px 8px; background: #f4f4f4; border-top: 1px solid #ccc; overflow-wrap: anywhere; }
.bad { color: #a00; font-weight: 600; }
pre { margin: 0; padding: 6px 8px; font-size: 11px; max-height: 16rem; overflow: auto; border-top: 1px solid #ccc; }
@media (max-width: 30rem) { body { margin: .5rem; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """A program of the sample."""

    code: str
    language: str | None = None
    title: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One drawing of a sheet."""

    program: Chosen
    verdict: str
    """`ok`, `error`, `timeout` …"""
    drawing: Drawing | None
    """None: the program was stopped before its drawing could be taken."""


def programs(source: Path) -> tuple[Iterator[Chosen], str]:
    """The programs of a dataset's folder or a file of JSON lines (`code`, `language`?, `title`?), and who wrote them.

    Raises:
        InputError: The file can't be read as JSON lines with a `code` each.
        DatasetError: The folder is no dataset.
    """
    if source.is_file():
        return _of_lines(source), ""
    from redraft.data.store import open_dataset

    dataset = open_dataset(source)
    finals = ((trace.title, trace.final) for trace in dataset.traces() if trace.states)
    return (Chosen(code=f.code, language=f.language, title=title) for title, f in finals), ORIGINS[dataset.origin]


def _of_lines(file: Path) -> Iterator[Chosen]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not (isinstance(row, dict) and isinstance(row.get("code"), str)):
                raise InputError("is not a JSON object with a text `code`.", where=f"{file}:{number}")
            given = {key: row[key] for key in ("language", "title") if isinstance(row.get(key), str)}
            yield Chosen(code=row["code"], **given)


def choose(programs: Iterable[Chosen], number: int, seed: int) -> list[Chosen]:
    """`number` distinct programs: those whose seeded hashes are least; in the order of their titles."""
    kept: dict[str, Chosen] = {}
    for program in programs:
        text = f"{seed}\0{program.language or ''}\0{program.code}"
        kept.setdefault(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), program)
        if len(kept) > 2 * number + 1_000:  # memory stays bounded however many programs there are
            kept = dict(sorted(kept.items(), key=lambda item: item[0])[:number])
    least = sorted(kept)[:number]
    return [kept[key] for key in sorted(least, key=lambda key: (kept[key].title, key))]


def cells(chosen: Sequence[Chosen], engine: Engine, *, most: int = MOST_MARKS) -> Iterator[Cell]:
    """Run programs for their drawings, each by itself; `engine` was made to bring drawings back.

    The verdict is the one `redraft execute` gives; the drawing is what a patient viewer sees.
    """
    programs = [Program(id=str(n), code=one.code, language=one.language) for n, one in enumerate(chosen)]
    for one, program, verdict in zip(chosen, programs, execute(programs, engine), strict=True):
        seen = (next(execute([program], engine, rule=rule)).drawing for rule in _WATCHED)
        record = next((drawing for drawing in seen if drawing is not None), verdict.drawing)
        yield Cell(
            program=one,
            verdict=verdict.verdict,
            drawing=None if record is None else read_drawing(record, most=most),
        )


def page(cells: Sequence[Cell], *, heading: str, note: str, code: bool = False) -> str:
    """The sheet as an HTML file's text; `code` shows the programs too."""
    root = Element("html", lang="en")
    head, body = SubElement(root, "head"), SubElement(root, "body")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    SubElement(head, "title").text = clean(heading)
    SubElement(head, "style").text = _CSS
    SubElement(body, "h1").text = clean(heading)
    SubElement(body, "p").text = f"{clean(note)} {counts(cells)}"
    grid = SubElement(body, "main")
    for number, cell in enumerate(cells, 1):
        figure = SubElement(grid, "figure")
        if cell.drawing is None:
            SubElement(figure, "div", {"class": "none"}).text = "no drawing"
        else:
            figure.append(svg_element(cell.drawing, title=f"Drawing {number}: {cell.program.title}", crop=True))
        caption = SubElement(figure, "figcaption")
        caption.text = f"{number}. {clean(cell.program.title)} · "
        SubElement(caption, "span", {} if cell.verdict == "ok" else {"class": "bad"}).text = cell.verdict
        if code:
            SubElement(figure, "pre").text = clean(cell.program.code, 4_000)
    return "<!DOCTYPE html>\n" + tostring(root, encoding="unicode", method="html")


def picture(cells: Sequence[Cell]) -> str:
    """The sheet as an SVG file's text: drawings in rows, each above its number, title and verdict."""
    columns = max(6, math.isqrt(len(cells)))
    rows = -(-len(cells) // columns)
    high = CELL + CAPTION
    wide, tall = str(columns * CELL), str(max(1, rows) * high)
    root = Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {wide} {tall}", width=wide, height=tall)
    SubElement(root, "rect", width=wide, height=tall, fill="white")
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        x, y = column * CELL, row * high
        if cell.drawing is not None:
            inner = svg_element(cell.drawing, title=cell.program.title, crop=True)
            for name, value in (("x", x + 4), ("y", y + 4), ("width", CELL - 8), ("height", CELL - 8)):
                inner.set(name, str(value))
            root.append(inner)
        frame = {"x": str(x + 3.5), "y": str(y + 3.5), "width": str(CELL - 7), "height": str(high - 7)}
        SubElement(root, "rect", {**frame, "fill": "none", "stroke": "silver"})
        colour = "black" if cell.verdict == "ok" else "firebrick"
        place = {"x": str(x + 10), "y": str(y + CELL + 15), "font-size": "13", "font-family": "sans-serif"}
        label = SubElement(root, "text", {**place, "fill": colour})
        label.text = f"{number + 1}. {clean(cell.program.title, 20)} · {cell.verdict}"
    return tostring(root, encoding="unicode")


def counts(cells: Sequence[Cell]) -> str:
    """How many programs ended how, and how many drew nothing."""
    found = Counter(cell.verdict for cell in cells)
    listed = ", ".join(f"{verdict} {count}" for verdict, count in found.most_common())
    blank = sum(cell.drawing is not None and cell.drawing.empty for cell in cells)
    return f"{len(cells)} programs: {listed or 'none'}; {blank} drew nothing."
