"""How every figure looks: colours by view, words for origins and splits, SVG with text as text.

In: a drawing function and its words. Out: a `Figure`: SVG, title, caption, alternative text and the points drawn.
The same points give the same bytes.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from redraft.progress import say
from redraft.rundir import write_text
from redraft.rundir.tables import write_table
from redraft.visible import visible

INK, MUTED, RULE = "#1f2328", "#57606a", "#d0d7de"
BASELINE = "#6e7781"

VIEW_STYLE: dict[str, tuple[str, str]] = {
    "trace": ("#0072B2", "o"),
    "last": ("#D98200", "s"),
    "synthetic": ("#009E73", "^"),
    "synthetic-complex": ("#B8558D", "D"),
    "trace-downsampled": ("#56B4E9", "v"),
    "synthetic-downsampled": ("#7FB800", "P"),
}
"""Colour and marker of each view (after Okabe and Ito; shapes differ too, so that colour is never needed)."""

OTHER_STYLES = (("#D55E00", "X"), ("#7A5195", "h"), ("#8C6D31", "p"), ("#404040", "*"))

BASELINE_MARKERS: dict[str, str] = {
    "title-mean": "|", "student-mean": "x", "student+title": "+", "random-trace": "1", "real-students": "|",
    "other-student": "4", "matched-student": "3", "real-halves": "|",
}  # fmt: skip
"""Thin grey markers: what a model must beat."""

SPLIT_WORDS: dict[str, str] = {
    "all": "all test pairs",
    "train": "train",
    "validation": "validation",
    "seen-seen": "seen student,\nseen title",
    "seen-unseen": "seen student,\nunseen title",
    "unseen-seen": "unseen student,\nseen title",
    "unseen-unseen": "unseen student,\nunseen title",
    "forward": "later in time",
    "unplaced": "unplaced",
}

RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a title is text: $x$ is no formula
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 9,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#eaeef2",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "lines.linewidth": 1.6,
    "axes.unicode_minus": True,
}


MISSING_GLYPHS = (
    "some labels of figures are in scripts for which this machine has no font. A browser that has one shows them, but "
    "their widths are guessed. On Debian and Ubuntu, fonts-noto-core, fonts-noto-cjk and fonts-noto-color-emoji have "
    "them."
)


class Figure(NamedTuple):
    """A drawn figure with its words."""

    name: str
    """File name without ending."""
    title: str
    """A short heading."""
    caption: str
    """What it shows and what to look for, in plain words; with n and origin."""
    alt: str
    """For those who can't see it."""
    svg: str
    """The drawing; ids are prefixed by the name, so that several can stand in one page."""
    points: pa.Table
    """What is drawn."""


def origin_words(origin: str, dataset: str) -> str:
    """Who wrote the programs, for figures, captions and findings."""
    words = {
        "students": f"Students: {dataset}",
        "model": f"Model-made traces (imitation): {dataset}",
        "simulated": f"Simulated class: {dataset}",
    }
    return words[origin]


def view_style(view: str, views: list[str]) -> tuple[str, str]:
    """Colour and marker of `view`; views unknown here take the other styles in their order among `views`."""
    if view in VIEW_STYLE:
        return VIEW_STYLE[view]
    others = [name for name in views if name not in VIEW_STYLE]
    return OTHER_STYLES[others.index(view) % len(OTHER_STYLES)]


def draw(
    name: str,
    paint: Callable[[Canvas], None],
    *,
    size: tuple[float, float],
    title: str,
    caption: str,
    alt: str,
    stamp: str,
    points: pa.Table,
) -> Figure:
    """Draw a figure.

    Args:
        name: File name without ending.
        paint: Draws into an empty canvas (constrained layout).
        size: Width and height in inches.
        title: A short heading.
        caption: What it shows, in plain words.
        alt: Alternative text.
        stamp: The origin, printed into the figure itself, so that it stays with a copied figure.
        points: What is drawn.
    """
    with matplotlib.rc_context({**RC, "svg.hashsalt": name}), _glyphs_told():
        canvas = Canvas(figsize=size, layout=ConstrainedLayoutEngine(rect=(0, 0.16 / size[1], 1, 1 - 0.16 / size[1])))
        paint(canvas)
        canvas.text(0.995, 0.04 / size[1], stamp, ha="right", va="bottom", size=7.5, color=MUTED, style="italic")
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Figure(name, title, caption, alt, _inline(buffer.getvalue(), name, alt), points)


_told: list[str] = []
"""What was said of missing glyphs: once is enough."""


@contextmanager
def _glyphs_told() -> Iterator[None]:
    """Say once, and not for each letter, that a script has no font here; other warnings are passed on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    missing = [
        warning
        for warning in caught
        if re.match(r"Glyph \d+|Matplotlib currently does not support", str(warning.message))
    ]
    for warning in caught:
        if warning not in missing:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if missing and not _told:
        _told.append(MISSING_GLYPHS)
        say(MISSING_GLYPHS)


def save(figure: Figure, folder: Path) -> None:
    """Write `folder/figures/NAME.svg` and `folder/points-NAME.parquet`, each atomically."""
    write_text(folder / "figures" / f"{figure.name}.svg", figure.svg)
    write_table(figure.points, folder / f"points-{figure.name}.parquet")


def quiet(axes: Axes, *, keep: str = "") -> None:
    """Drop the spines whose names aren't in `keep`, and the tick marks."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in keep)
    axes.tick_params(length=0)


def log_ticks(axis: Axis) -> None:
    """Plain numbers (1, 10, 1k) on a logarithmic axis; also 2 and 5 where it spans less than two decades."""
    low, high = axis.get_view_interval()
    subs = (1.0,) if high / low >= 100 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    axis.set_minor_locator(NullLocator())


def short_number(value: float) -> str:
    """`1,234` as `1.2k`; small numbers as they are."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _inline(svg: str, name: str, alt: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Clip paths are named by a hash of coordinates, whose last digits vary from run to run: number them instead.
    clips = dict.fromkeys(re.findall(r'<clipPath id="(\w+)"', svg))
    for number, clip in enumerate(clips):
        svg = svg.replace(f'"{clip}"', f'"clip{number}"').replace(f"#{clip})", f"#clip{number})")
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    label = f' role="img" aria-label="{escape(alt)}">'
    head, rest = svg.split(">", 1)
    return visible(f"{head}{label}{rest}", lines=True)
