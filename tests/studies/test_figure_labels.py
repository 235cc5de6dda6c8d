"""Labels in figures are text as it stands, whatever it holds."""

from __future__ import annotations

import re
import warnings

import pyarrow as pa
import pytest
from matplotlib.figure import Figure as Canvas

from redraft.plots import style
from redraft.plots.style import Figure, draw

LABELS = [
    r"$\frac{$",
    "costs $5 and $6",
    "$x$",
    "_under",
    "海龟",
    "مربع",
    "🐢 race",
    "a<b>&c",
    "100%",
    r"\u{}",
    "two\nlines",
]


def with_labels(labels: list[str]) -> Figure:
    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.set_title(labels[0])
        axes.set_yticks(range(len(labels)), labels)

    points = pa.table({"label": labels})
    return draw("f", paint, size=(4, 3), title="t", caption="c", alt="a", stamp="s", points=points)


def test_no_label_is_parsed_or_stops_a_figure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "_told", [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = with_labels(LABELS).svg
        with_labels(LABELS)
    shown = re.sub(r"<[^>]*>", "", svg)
    for label in (r"$\frac{$", "costs $5 and $6", "$x$", "_under", "海龟", "a&lt;b&gt;&amp;c", "100%"):
        assert label in shown
    said = capsys.readouterr().err
    assert said.count("no font") == 1
    assert "fonts-noto" in said
    assert not re.search("海|مربع|Glyph", said)


def test_other_warnings_of_a_figure_are_passed_on() -> None:
    def paint(canvas: Canvas) -> None:
        warnings.warn("something else", stacklevel=1)

    with pytest.warns(UserWarning, match="something else"):
        draw("f", paint, size=(4, 3), title="t", caption="c", alt="a", stamp="s", points=pa.table({"a": [1]}))
